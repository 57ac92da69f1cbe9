/* SPDX-License-Identifier: GPL-2.0-only */
/* sched.h - 32 priorities, round robin within one, per-CPU queues; tickless where nobody shares.
 * The kernel is not preempted inside itself: a thread gives its CPU up in wait_block, or on its way
 * back to user mode. */
#pragma once

#include "kernel/cpu.h"
#include "kernel/thread.h"

void sched_init_cpu(void);              /* this CPU: queues, idle thread */
NORETURN void sched_start(void);        /* this CPU: become the idle thread and run what there is */
/* BLOCKED -> READY, on the best allowed CPU (its own if it is in a door call); false and nothing
 * done in any other state. Any context, no lock of rank SCHED held. */
bool sched_ready(struct thread *thread);
/* give the CPU up; the caller has set its state to BLOCKED (see wait.c) or ENDED. Interrupts off */
void sched_switch(void);
/* the second half, on the new thread's stack; a thread's first act. Interrupts off */
void sched_finish(void);
void sched_yield(void);                 /* let another one of the same priority run first */
/* give the CPU up if somebody should have it, or if it is not ours. Interrupts off */
void sched_preempt(void);
void sched_reprioritise(struct thread *thread, uint32_t priority);
/* thread->affinity has changed: move it if it waits in a wrong queue */
void sched_apply_affinity(struct thread *thread);
uint64_t sched_allowed(void);           /* mask of the CPUs that run threads (the low 64) */
/* load the root for thread_here(thread) (NULL: the kernel's) on this CPU if it is another */
void sched_set_space(struct thread *thread);
/* free the threads that ended on this CPU. Interrupts on, nothing held */
void sched_reap(void);
/* arch calls, all with interrupts off */
void timer_interrupt(void);
void sched_interrupt(void);
void user_return_work(struct trap_frame *frame);
