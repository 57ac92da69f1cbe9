/* SPDX-License-Identifier: GPL-2.0-only */
/* door.h - synchronous calls into another space, on the caller's own CPU and thread. The registers are in
 * abi/include/lintel/door.h; the life of a call is told at the top of door.c.
 * Locks: [v] serving_cpu->starved.lock (rank WAIT; one a CPU, so calls on other CPUs never meet it)
 *        [c] that CPU only, with interrupts off (else a round of serving_seal or retire.c may come in between)
 *        [m] master->lock  [D] doors_lock  [I] immutable after create  [o] only the thread that is in the activation.
 *        */
#pragma once

#include "kernel/thread.h"
#include "mm/pager.h"
#include "mm/window.h"

#include <lintel/door.h>

struct door {
	struct object object;      /* the master, or one badge of it: closed when its last handle and call are gone */
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
	struct door *retired_next; /* retire.c */
	uint32_t retired_users;    /* [a] retire.c */
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

/* Why a return cannot take the short way (call_fast_path.h). */
enum activation_special {
	SPECIAL_KIND = 1u << 0,    /* not RETURN_CALL */
	SPECIAL_ORPHAN = 1u << 1,  /* there is one: the call has a deadline */
	SPECIAL_WINDOWS = 1u << 2, /* some are open */
	SPECIAL_DYING = 1u << 3,   /* the server is ending; for good */
	SPECIAL_CLOSING = 1u << 4, /* the door's last handle is gone: say so when the call is over (retire.c) */
};

struct activation { /* call_fast_path.h knows the members up to the windows by their offsets */
	struct activation *next_free; /* [c] */
	struct serving_cpu *here;   /* [I] */
	struct process *server;     /* [I] whose it is */
	struct space_cpu *cell;     /* [I] its space, on this CPU */
	uint64_t stack;             /* [I] rsp at entry */
	uint64_t tls;               /* [I] FS base at entry */
	struct thread *thread;      /* [c] who is in it, NULL: free */
	struct activation *outer;   /* [o] the call that the thread was in when it made this one */
	struct space_cpu *caller_cell; /* [o] the caller's space, on this CPU; the thread's way back keeps it */
	struct door *door;          /* [o] no reference: retire.c */
	uint64_t rip, rsp, fs;      /* [o] RETURN_CALL: the caller's */
	uint64_t fpu_control;       /* [o] MXCSR | x87 control word << 32 */
	uint32_t special;           /* [a] enum activation_special: by its CPU; DYING and CLOSING in a round */
	struct window window[DOOR_WINDOWS];

	enum return_kind kind;      /* [o] */
	uint32_t cpu;               /* [I] */
	struct activation *all_next; /* [I] */
	struct thread *nudged;      /* activation.c, serving_seal */
	struct saved_state *saved;  /* [o] RETURN_FAULT */
	struct timer deadline;      /* [o] armed if the call has one */
	bool expired;               /* [a] */
	struct thread *orphan;      /* [o] made ready beforehand: carries the server's side on if the deadline passes */
} ALIGNED(64);

struct serving_cpu { /* call_fast_path.h knows the members up to `sealed` by their offsets */
	struct activation *free;     /* [c] last returned first */
	uint64_t arrived;            /* [c] calls to this server, ... */
	uint64_t left;               /* [c] ... and how many are over; the others are inside, or on their way in */
	uint32_t crowded;            /* [c] 1: `starved` may have waiters, so the next activation may be theirs */
	bool sealed;                 /* [c] the server is ending: `free` stays empty */
	struct wait_queue starved;   /* callers that wait for an activation, first come first. Only this CPU adds to it */
	struct activation *donated;  /* [v] by other CPUs, on their way to `free` */
	struct activation *all;      /* [v] to add; read freely, as nothing is ever taken off */
	uint32_t activations;        /* [v] */
} ALIGNED(64);

struct serving {                 /* of a process that serves doors; lives as long as the process object */
	struct process *process;     /* [I] */
	struct serving_cpu *cpu[CPUS_MAX]; /* [I] cpu_count() of them, each on lines of its own */
	struct pager_family pagers;  /* the VMOs whose pager one of its doors is */
};

/* activation.c: an activation of this CPU, or a place in its FIFO. The thread must be pinned (depth counted). */
MUST_USE err_t activation_take(struct door *door, uint64_t deadline, struct activation **out);
void activation_give(struct activation *activation);
MUST_USE err_t activation_donate(struct serving *serving, uint32_t cpu, uint64_t stack, uint64_t tls);
uint64_t activations_count(void);                /* donated, of all processes */
uint64_t door_calls_ended(uint32_t cpu);         /* calls that were made there to servers that are gone */
/* Where the innermost call goes back to; whoever dropped out of it (RETURN_ORPHAN) has nobody there. */
static inline struct process *activation_caller(const struct activation *activation)
{
	return activation->outer != NULL ? activation->outer->server : activation->thread->home;
}

void activation_init(void);
MUST_USE err_t serving_create(struct process *process, struct serving **out);
void serving_free(struct serving *serving);      /* nobody is inside any more */
/* The server is ending: let nobody else in, wake the starved, pend PENDING_PEER_DIED on who is inside. When it returns,
 * serving_inside() can only fall. One round. */
void serving_seal(struct serving *serving);
uint32_t serving_inside(const struct serving *serving);  /* how many; exact once sealed */
uint32_t serving_waiting(struct serving *serving);       /* and how many of them wait for an activation */
void serving_describe(struct serving *serving, uint32_t cpu, struct info_activation *out);

/* door.c: the objects. */
void door_init(void);
void door_server_died(struct process *server);   /* process_end: signals PEER_DIED, nudges */
MUST_USE err_t door_describe(uint32_t index, struct info_door *out);
MUST_USE err_t door_describe_cpu(uint32_t index, uint32_t cpu, struct info_activation *out);
extern const struct object_class door_class;

/* retire.c: the end of doors whose last handle is gone. */
void door_retire(struct door *door);             /* this CPU sees to it when it next passes its border to user mode */
void doors_retire(void);                         /* sched_reap's part. Interrupts on, no locks */
void door_user_left(struct door *door);          /* a call whose activation was SPECIAL_CLOSING is over */
void door_is_closed(struct door *door);          /* door.c's part: no handle and no call is left */

/* call.c: the calls. */
void call_init(void);

/* Call the pager that thread->pager_request names; replaces the frame by the pager's entry. When it answers, the frame
 * comes back and the access is made again. `system_call`: the frame stands at a system call that is to be restarted.
 * Any failure leaves the frame as it was. Consumes the request's reference. */
MUST_USE err_t door_call_pager(struct trap_frame *frame, bool system_call);

/* user_return_work's part, called with interrupts off: deadlines that have passed, servers that have died. */
void door_unwind(struct trap_frame *frame);
