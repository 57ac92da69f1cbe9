/* SPDX-License-Identifier: GPL-2.0-only */
/* door.h - synchronous calls into another space, on the caller's own CPU and thread. The registers are in
 * abi/include/lintel/door.h; the life of a call is told at the top of door.c.
 * Locks: [v] serving_cpu->starved.lock (rank WAIT; one a CPU, so calls on other CPUs never meet it)
 *        [m] master->lock  [D] doors_lock  [I] immutable after create  [o] only the thread that is in the activation. */
#pragma once

#include "kernel/thread.h"
#include "mm/window.h"

#include <lintel/door.h>

struct door {
	struct object object;      /* the master, or one badge of it: a badge is closed when its last handle and call are gone */
	struct process *server;    /* [I] reference */
	struct serving *serving;   /* [I] server->serving */
	uint64_t entry;            /* [I] */
	char name[32];             /* [I] */
	struct door *master;       /* [I] NULL: this is the master; else whose badge this is (reference) */
	uint64_t badge;            /* [I] */
	struct spinlock lock;      /* rank OBJECT; of a master */
	struct list closed;        /* [m] badges that are closed and that nobody has taken yet */
	struct list closed_link;   /* [m] a badge's place there */
	uint32_t badges;           /* [a] minted and not closed */
	struct list all_link;      /* [D] */
};

enum return_kind {
	RETURN_CALL,   /* the caller made door_call: results go into its registers */
	RETURN_FAULT,  /* the caller touched a pager's page: its frame is restored and the access made again */
	RETURN_ORPHAN, /* the caller went back when its deadline passed: nobody waits for the results */
};

/* The caller of a pager: everything, as it did not expect a call. */
struct saved_state {
	uint8_t fpu[FPU_AREA_BYTES_MAX] ALIGNED(64);
	struct trap_frame frame;
	bool system_call; /* the frame is at a `syscall` instruction that is to be made again */
	uint64_t address; /* what was touched, for the message if the pager fails */
};

struct activation {
	struct list free_link;      /* [v] */
	struct list all_link;       /* [v] */
	struct process *server;     /* [I] whose it is */
	uint32_t cpu;               /* [I] */
	uint64_t stack;             /* [I] rsp at entry */
	uint64_t tls;               /* [I] FS base at entry */

	struct thread *thread;      /* [v] who is in it, NULL: free */
	struct activation *outer;   /* [o] the call that the thread was in when it made this one */
	struct process *caller;     /* [o] where it goes back to; its home or the outer activation keeps it */
	struct door *door;          /* [o] reference */
	enum return_kind kind;      /* [o] */
	uint64_t rip, rsp, rflags, fs; /* [o] RETURN_CALL: the caller's */
	uint64_t fpu_control;       /* [o] */
	struct saved_state *saved;  /* [o] RETURN_FAULT */
	struct timer deadline;      /* [o] armed if the call has one */
	bool expired;               /* [a] */
	struct thread *orphan;      /* [o] made ready beforehand: carries the server's side on if the deadline passes */
	struct window window[DOOR_WINDOWS];
};

struct serving_cpu {
	struct wait_queue starved;   /* callers that wait for an activation, first come first; its lock guards the rest */
	struct list free;            /* [v] last returned first */
	struct list all;             /* [v] */
	uint32_t activations;        /* [v] */
	uint32_t busy;               /* [v] */
	uint64_t calls;              /* [v] */
} ALIGNED(64);

struct serving {                 /* of a process that serves doors; lives as long as the process object */
	struct process *process;     /* [I] */
	struct serving_cpu *cpu[CPUS_MAX]; /* [I] cpu_count() of them, each on lines of its own */
};

/* activation.c: an activation of this CPU, or a place in its FIFO. The thread must be pinned (depth counted). */
MUST_USE err_t activation_take(struct door *door, uint64_t deadline, struct activation **out);
void activation_give(struct activation *activation);
MUST_USE err_t activation_donate(struct serving *serving, uint32_t cpu, uint64_t stack, uint64_t tls);
uint64_t activations_count(void);                /* donated, of all processes */
uint64_t activations_busy(void);
void activation_init(void);
MUST_USE err_t serving_create(struct process *process, struct serving **out);
void serving_free(struct serving *serving);      /* nobody is inside any more */
void serving_nudge(struct serving *serving);     /* the server is ending: wake the starved, pend PENDING_PEER_DIED on visitors */
void serving_describe(struct serving *serving, uint32_t cpu, struct info_activation *out);

/* door.c: the objects. */
void door_init(void);
void door_server_died(struct process *server);   /* process_end: signals PEER_DIED, nudges */
MUST_USE err_t door_describe(uint32_t index, struct info_door *out);
MUST_USE err_t door_describe_cpu(uint32_t index, uint32_t cpu, struct info_activation *out);
extern const struct object_class door_class;

/* call.c: the calls. */
void call_init(void);

/* Call the pager that thread->pager_request names; replaces the frame by the pager's entry. When it answers, the frame
 * comes back and the access is made again. `system_call`: the frame stands at a system call that is to be restarted.
 * Any failure leaves the frame as it was. Consumes the request's reference. */
MUST_USE err_t door_call_pager(struct trap_frame *frame, bool system_call);

/* user_return_work's part, called with interrupts off: deadlines that have passed, servers that have died. */
void door_unwind(struct trap_frame *frame);
