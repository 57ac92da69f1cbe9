/* SPDX-License-Identifier: GPL-2.0-only */
/* cpu.h - the per-CPU area. GS base points at it in kernel mode; entry.S uses the first members by
 * offset. A CPU writes its own area only; others read counters, and set `return_work` bits
 * atomically. */
#pragma once

#include "kernel/list.h"
#include "mm/port.h"

struct thread;

enum return_work {
	RETURN_RESCHEDULE = 1u << 0, /* a better or equal thread waits */
	/* thread->pending has something (kill, deadline, peer died, migrate) */
	RETURN_THREAD = 1u << 1,
	/* cpu->dead has threads whose stacks can be freed now, doors_retired has doors */
	RETURN_REAP = 1u << 2,
	RETURN_LOG = 1u << 3,        /* something was logged: wake its readers */
};

struct cpu_counters { /* mirrors struct info_cpu */
	uint64_t system_calls, faults, switches, interrupts, timer_interrupts;
	uint64_t ipis_sent, ipis_received, root_switches, pager_calls;
	uint64_t idle_ns;
	uint64_t door_steps_long; /* arrivals at servers and departures that call.c counted, not call_fast_path.h */
};

#define PCIDS_MAX 9 /* of a CPU: 8 address spaces whose translations it keeps, and PCID 0, which is for bring-up */

struct cpu {
	struct cpu *self;         /* gs:0 */
	uint64_t kstack_top;      /* gs:8   kernel stack of the current thread */
	uint64_t user_rsp;        /* gs:16  scratch of the system call entry */
	struct thread *current;   /* gs:24 */
	/* gs:32  [a] enum return_work; checked before every return to user mode */
	uint32_t return_work;
	uint32_t index;           /* gs:36  [I] */
	struct space_cpu *cell;   /* gs:40  of the space whose root is loaded (its process keeps it); NULL: the kernel's */
	/* gs:48  [a] whose translations each PCID tags (mmu.c); 0: nobody's. PCID 0 is always nobody's */
	uint64_t pcid_root[PCIDS_MAX];
	uint32_t apic_id;         /* [I] */
	uint32_t node;            /* [I] */
	bool online;              /* [a] */
	uint32_t locks_held;      /* debug builds: number of spin locks, and the highest ranks */
	struct spinlock *lock_stack[16];

	struct thread *idle;
	/* during a switch: who is being left, and whether it is to be queued again */
	struct thread *previous;
	bool previous_again;
	/* [a] of the current thread, -1: idle. Others may not look into `current` itself */
	int32_t running_priority;
	struct list dead;          /* ended threads that ran here last, to be freed by sched_reap() */
	struct list run_queue[32]; /* [sched_lock] ready threads by priority, FIFO */
	uint32_t ready_bits;       /* [sched_lock] which queues are not empty */
	uint32_t ready;            /* [sched_lock] how many */
	struct spinlock sched_lock; /* run queues of this CPU */
	struct list timers;        /* [timer_lock] struct timer, by deadline */
	struct spinlock timer_lock;
	struct timer *timer_running; /* [a] whose expired() is being called */
	uint64_t timer_set;        /* what arch_timer_set was told last */
	/* when the current thread must share; DEADLINE_NEVER while nobody waits */
	uint64_t slice_end;
	uint64_t idle_since;
	struct door *doors_retired; /* retire.c: pushed by threads of this CPU */
	struct cpu_counters counters;
	void *arch;                /* kernel/arch/x86_64's own: GDT, TSS, IST stacks */
} ALIGNED(64);

extern struct cpu cpus[CPUS_MAX];

static inline struct cpu *cpu_this(void)
{
	struct cpu *cpu;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(cpu)); /* volatile: another CPU's after a switch */
	return cpu;
}
static inline struct thread *thread_current(void)
{
	struct thread *thread;
	__asm__ volatile("movq %%gs:24, %0" : "=r"(thread));
	return thread;
}
