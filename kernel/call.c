/* SPDX-License-Identifier: GPL-2.0-only */
/* call.c - the life of a door call.
 *
 *   caller, in A                      kernel                                     server, in B
 *   door_call ----------------> door_call: handle -> door; pin to this CPU;
 *                               take an activation (or wait in the FIFO);
 *                               buffers -> windows; handles -> B's table
 *                               -- point of no return --
 *                               save rip, rsp, FS; here = B; load B's root ---> entry(badge, words, windows)
 *                                                                               ... may block, fault, call others ...
 *                               door_return: handles -> A's table      <------- door_return(err, words)
 *                               windows down; here = A; load A's root
 *   err, words <--------------- activation back to the list
 *
 * Nothing is scheduled: it is the same thread throughout, on the same CPU, with the same priority and time slice.
 *
 * Ends that are not a return, all taken at the border to user mode (door_unwind), where the thread holds nothing in the
 * kernel and its whole user context is in the frame:
 *   - The server dies: the thread leaves its activations up to the last living caller, which gets ERR_PEER_DIED.
 *   - The deadline passes: the server's side goes on in a thread of its own, made ready when the call began (the
 *   orphan),
 *     which takes the frame and the activations over; the caller goes back with ERR_TIMED_OUT.
 *   - The caller dies: nothing happens until the server returns; then the results are dropped and the thread ends.
 *
 * I1  A thread is in its home if thread->activation is NULL, else in thread->activation->server (thread_here).
 * I2  thread->depth counts the activations in the chain plus one while a call is being made; depth > 0 pins the thread.
 * I3  A process that somebody is inside of (serving_cpu->arrived, left) keeps its space, tables and activations.
 * I4  A free activation has kind RETURN_CALL, no orphan, no open window and `special` 0, save for SPECIAL_DYING.
 *
 * This is the long way: the one that handles everything, and the reference. Calls and returns without handles, windows
 * and deadlines, through a door that is found at once, into a server that lives and has a free activation, take the
 * short way, arch/x86_64/call_fast_path.h, which does the same in a few dozen instructions or, before it has changed
 * anything, comes here. */
#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/fault.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/trace.h"
#include "mm/pool.h"

#include <lintel/pager_proto.h>

#include "kernel/syscall_handlers.h"

static struct pool saved_pool;

void call_init(void)
{
	pool_init(&saved_pool, "pager caller", sizeof(struct saved_state));
}

/* ---- entering and leaving ---- */

struct process *thread_here(const struct thread *thread)
{
	return likely(thread->activation == NULL) ? thread->home : thread->activation->server;
}

/* Pinned: nobody else writes these counts. The compiler must not move it past the look at the state (process.c, I1). */
static void count_up(uint64_t *count)
{
	__atomic_store_n(count, *count + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	cpu_this()->counters.door_steps_long++;
}

static void visit_end(struct process *server)
{
	count_up(&server->serving->cpu[cpu_current()]->left);
	process_visitor_left(server);
}

static err_t visit_begin(struct process *server)
{
	count_up(&server->serving->cpu[cpu_current()]->arrived);
	if (likely(!process_is_ending(server)))
		return OK;
	visit_end(server);
	return ERR_PEER_DIED;
}

/* Pin the thread and get an activation in a living server. Undone by reach_undo. */
static err_t reach(struct thread *thread, struct door *door, uint64_t deadline, struct activation **out)
{
	err_t err;

	if (thread->depth == DOOR_DEPTH_MAX)
		return ERR_TOO_DEEP;
	thread->depth++;
	err = visit_begin(door->server);
	if (err != OK)
		goto unpin;
	err = activation_take(door, deadline, out);
	if (err != OK)
		goto leave;
	return OK;
leave:
	visit_end(door->server);
unpin:
	thread->depth--;
	return err;
}

static void reach_undo(struct thread *thread, struct activation *activation)
{
	struct process *server = activation->server;

	activation_give(activation);
	visit_end(server);
	thread->depth--;
}

static void special_set(struct activation *activation, uint32_t bits)
{
	__atomic_or_fetch(&activation->special, bits, __ATOMIC_RELAXED); /* not torn apart by a round */
}

/* The point of no return is behind us: become a visitor of the server. The frame's message is the caller's to fill. */
static void enter(struct thread *thread, struct activation *activation, struct door *door, enum return_kind kind,
		  struct trap_frame *frame)
{
	activation->door = door;
	activation->kind = kind;
	if (kind != RETURN_CALL)
		special_set(activation, SPECIAL_KIND);
	activation->outer = thread->activation;
	activation->caller_cell = cpu_this()->cell;
	activation->rip = frame->rip;
	activation->rsp = frame->rsp;
	activation->fs = arch_fs_base();
	activation->fpu_control = arch_fpu_control();
	activation->expired = false;
	thread->activation = activation;
	sched_set_space(thread);
	arch_fs_base_set(activation->tls);
	arch_fpu_clear();
	frame->rip = door->entry;
	frame->rsp = activation->stack;
	frame->rflags = USER_RFLAGS;
	frame->rdi = door->badge;
	frame->rax = 0;
	frame->rcx = 0;
	frame->r11 = 0;
	/* Whoever ended the server after it was seen alive, and before the activation named us, nudged nobody: we were on
	 * our way. The round that seals it came to this CPU, so the state is seen (process.c, I1). Found by tests/model. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(process_is_ending(activation->server)))
		thread_pend(thread, PENDING_PEER_DIED);
}

/* Leave the innermost activation: windows down, home again, activation and orphan back. The frame is not touched; the
 * rest of the caller's context is. */
static void leave(struct thread *thread)
{
	struct activation *activation = thread->activation;
	struct process *server = activation->server;
	struct door *door = activation->door;
	struct thread *orphan = activation->orphan;
	uint32_t special;

	if (orphan != NULL) {
		timer_disarm(&activation->deadline);
		activation->orphan = NULL;
		object_unref(&orphan->object);
	}
	for (uint32_t i = 0; i < DOOR_WINDOWS; i++)
		window_unmap(&activation->window[i]);
	thread->activation = activation->outer;
	if (activation->kind != RETURN_ORPHAN) {
		sched_set_space(thread);
		arch_fs_base_set(activation->fs);
	}
	object_ref(&server->object); /* the door did that; it can go from here on */
	activation->kind = RETURN_CALL; /* I4 */
	/* a round that comes after this does not count us, and SPECIAL_CLOSING tells of one before */
	activation->door = NULL;
	special = __atomic_fetch_and(&activation->special, SPECIAL_DYING, __ATOMIC_RELAXED);
	activation_give(activation);
	visit_end(server);
	thread->depth--;
	if (special & SPECIAL_CLOSING)
		door_user_left(door);
	object_unref(&server->object);
	/* A caller that died meanwhile is unwound, or ends, before it runs another instruction. */
	if (process_is_ending(thread_here(thread)))
		thread_pend(thread, PENDING_PEER_DIED);
}

/* Back in the caller's registers; the message is the caller's to fill. */
static void frame_of_caller(struct trap_frame *frame, uint64_t rip, uint64_t rsp, err_t result)
{
	frame->rip = rip;
	frame->rsp = rsp;
	frame->rflags = USER_RFLAGS;
	frame->rax = (uint64_t)(int64_t)result;
	frame->rdi = frame->rbx = frame->rbp = frame->r14 = frame->r15 = 0;
	frame->rcx = frame->r11 = 0;
}

static void words_clear(struct trap_frame *frame)
{
	frame->rsi = frame->rdx = frame->r10 = frame->r8 = frame->r9 = frame->r12 = frame->r13 = 0;
}

/* ---- handles ---- */

static void handles_unpack(uint64_t packed, handle_t handles[DOOR_HANDLES])
{
	handles[0] = (handle_t)packed;
	handles[1] = (handle_t)(packed >> 32);
}

/* Move up to two handles from one table to another, all or none. They appear in `to` before they leave `from`: a second
 * holder can know neither number, and nobody is ever without them. */
static err_t handles_move(struct handle_table *from, uint64_t packed, struct handle_table *to, uint64_t *out)
{
	handle_t source[DOOR_HANDLES], target[DOOR_HANDLES] = { 0 }, given[DOOR_HANDLES];
	struct handle_moved moved[DOOR_HANDLES];
	uint32_t count = 0;
	err_t err = OK;

	*out = 0;
	if (likely(packed == 0))
		return OK;
	handles_unpack(packed, source);
	for (uint32_t i = 0; i < DOOR_HANDLES; i++) {
		struct object *object;
		uint32_t rights;

		if (source[i] == HANDLE_NONE)
			continue;
		err = handle_look(from, source[i], RIGHT_TRANSFER, &object, &rights);
		if (err != OK)
			goto undo;
		err = handle_add(to, object, rights, &target[i]);
		object_unref(object);
		if (err != OK)
			goto undo;
		given[count++] = source[i];
	}
	err = handle_take(from, given, count, moved);
	if (err != OK)
		goto undo;
	handle_drop(moved, count);
	*out = target[0] | (uint64_t)target[1] << 32;
	return OK;
undo:
	for (uint32_t i = 0; i < DOOR_HANDLES; i++)
		if (target[i] != HANDLE_NONE)
			(void)!handle_close(to, target[i]);
	return err;
}

/* Nobody is there to take them, or has room for them: the server has given them away, so they are closed. */
static err_t handles_drop(struct handle_table *from, uint64_t packed)
{
	handle_t given[DOOR_HANDLES];
	struct handle_moved moved[DOOR_HANDLES];
	err_t err;

	if (likely(packed == 0))
		return OK;
	handles_unpack(packed, given);
	err = handle_take(from, given, DOOR_HANDLES, moved);
	if (err == OK)
		handle_drop(moved, DOOR_HANDLES);
	return err;
}

/* ---- door_call ---- */

static void deadline_expired(struct timer *timer)
{
	struct activation *activation = container_of(timer, struct activation, deadline);

	__atomic_store_n(&activation->expired, true, __ATOMIC_RELEASE);
	thread_pend(activation->thread, PENDING_DEADLINE);
}

struct window_request {
	uint64_t address;
	uint64_t length; /* bytes | WINDOW_WRITE */
};

static err_t windows_map(struct thread *thread, struct activation *activation, const struct window_request *request,
			 vaddr_t out[DOOR_WINDOWS])
{
	for (uint32_t i = 0; i < DOOR_WINDOWS; i++) {
		uint64_t bytes = request[i].length & ~WINDOW_WRITE;
		err_t err;

		out[i] = VADDR(0);
		if (bytes == 0)
			continue;
		if (bytes > WINDOW_BYTES_MAX)
			err = ERR_ARGS;
		else
			err = window_map(activation->server->space, activation->cpu, &activation->window[i],
					 thread_here(thread)->space, VADDR(request[i].address), bytes,
					 request[i].length & WINDOW_WRITE, &out[i], &thread->pager_request);
		if (err != OK) {
			while (i-- > 0)
				window_unmap(&activation->window[i]);
			return err;
		}
	}
	return OK;
}

/* A call with a deadline brings the thread that will carry the server's side on if it passes. */
static err_t orphan_prepare(struct activation *activation, uint64_t timeout_us)
{
	if (likely(timeout_us == 0)) {
		activation->orphan = NULL;
		return OK;
	}
	special_set(activation, SPECIAL_ORPHAN);
	return thread_create(activation->server, "orphan", &activation->orphan);
}

static err_t call(struct trap_frame *frame, struct thread *thread, struct door *door, uint64_t timeout_us)
{
	struct process *caller = thread_here(thread);
	const struct window_request request[DOOR_WINDOWS] = { { frame->rbx, frame->rbp }, { frame->r14, frame->r15 } };
	uint64_t deadline = timeout_us == 0 ? DEADLINE_NEVER : arch_clock_ns() + timeout_us * 1000;
	struct activation *activation;
	vaddr_t window[DOOR_WINDOWS];
	uint64_t handles;
	err_t err = reach(thread, door, deadline, &activation);

	if (err != OK)
		return err;
	err = orphan_prepare(activation, timeout_us);
	if (err != OK)
		goto give;
	err = windows_map(thread, activation, request, window);
	if (err != OK)
		goto free_orphan;
	err = handles_move(&caller->handles, frame->r13, &activation->server->handles, &handles);
	if (err != OK)
		goto unmap;

	/* ---- point of no return ---- */
	if (request[0].length | request[1].length)
		special_set(activation, SPECIAL_WINDOWS);
	enter(thread, activation, door, RETURN_CALL, frame);
	frame->r13 = handles;
	frame->rbx = window[0].v;
	frame->r14 = window[1].v;
	if (activation->orphan != NULL)
		timer_arm(&activation->deadline, deadline, deadline_expired);
	return OK;
unmap:
	window_unmap(&activation->window[0]);
	window_unmap(&activation->window[1]);
free_orphan:
	if (activation->orphan != NULL) {
		object_unref(&activation->orphan->object);
		activation->orphan = NULL;
	}
give:
	if (process_is_ending(activation->server)) /* whatever failed, failed for that */
		err = ERR_PEER_DIED;
	__atomic_and_fetch(&activation->special, SPECIAL_DYING, __ATOMIC_RELAXED); /* I4 */
	reach_undo(thread, activation);
	return err;
}

void sys_door_call(struct trap_frame *frame)
{
	struct thread *thread = thread_current();
	handle_t handle = (handle_t)frame->rdi;
	uint64_t timeout_us = frame->rdi >> 32;
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_DOOR, RIGHT_CALL, &object);

	if (err == OK) {
		err = call(frame, thread, container_of(object, struct door, object), timeout_us);
		object_unref(object); /* from here on the activation says that the door is in use (retire.c) */
		if (err == OK)
			return;
	}
	if (thread->pager_request.vmo != NULL) { /* to be made again: every register stays */
		frame->rax = (uint64_t)(int64_t)err;
		return;
	}
	frame_of_caller(frame, frame->rip, frame->rsp, err);
	words_clear(frame);
}

/* ---- door_return ---- */

static void return_to_caller(struct trap_frame *frame, struct thread *thread, err_t result, uint64_t handles)
{
	struct activation *activation = thread->activation;
	uint64_t rip = activation->rip, rsp = activation->rsp;
	uint64_t control = activation->fpu_control;

	leave(thread);
	frame_of_caller(frame, rip, rsp, result);
	frame->r13 = handles;
	arch_fpu_clear();
	arch_fpu_control_set(control);
}

/* The pager has answered: the toucher gets all its registers back, and the access is made again or fails. */
static void return_to_fault(struct trap_frame *frame, struct thread *thread, err_t result)
{
	struct saved_state *saved = thread->activation->saved;

	trace_door_end(thread->activation->server, result);
	leave(thread);
	*frame = saved->frame;
	arch_fpu_load(saved->fpu);
	if (result != OK && saved->system_call) {
		frame->rip += SYSCALL_INSTRUCTION_BYTES;
		frame->rax = (uint64_t)(int64_t)ERR_FAULT;
	} else if (result != OK) {
		fault_pager_failed(frame, VADDR(saved->address), result);
	}
	pool_free(&saved_pool, saved);
}

NORETURN static void orphan_ends(struct thread *thread)
{
	leave(thread);
	thread_exit();
}

void sys_door_return(struct trap_frame *frame)
{
	struct thread *thread = thread_current();
	struct activation *activation = thread->activation;
	err_t result = (err_t)frame->rdi;
	uint64_t given = frame->r13, handles = 0;
	err_t err;

	if (activation == NULL) {
		err = ERR_BAD_STATE;
	} else if (activation->kind == RETURN_CALL && !process_is_ending(activation_caller(activation))) {
		err = handles_move(&activation->server->handles, given, &activation_caller(activation)->handles, &handles);
		if (err == ERR_LIMIT || err == ERR_NO_MEMORY) { /* the caller's fault: it has no room for them */
			result = err;
			words_clear(frame);
			err = handles_drop(&activation->server->handles, given);
		}
	} else {
		err = handles_drop(&activation->server->handles, given);
	}
	if (err != OK) {
		frame->rax = (uint64_t)(int64_t)err;
		return;
	}
	switch (activation->kind) {
	case RETURN_CALL:
		return_to_caller(frame, thread, result, handles);
		break;
	case RETURN_FAULT:
		return_to_fault(frame, thread, result);
		break;
	case RETURN_ORPHAN:
		orphan_ends(thread);
	}
}

/* ---- pagers ---- */

err_t door_call_pager(struct trap_frame *frame, bool system_call)
{
	struct thread *thread = thread_current();
	struct pager_request request = thread->pager_request;
	struct door *door = request.pager;
	struct activation *activation;
	struct saved_state *saved;
	err_t err;

	thread->pager_request.vmo = NULL;
	object_ref(&door->object);
	vmo_unref(request.vmo);
	saved = pool_alloc(&saved_pool);
	err = saved == NULL ? ERR_NO_MEMORY : reach(thread, door, DEADLINE_NEVER, &activation);
	if (err != OK)
		goto drop;

	saved->frame = *frame;
	saved->system_call = system_call;
	saved->address = thread->fault_address;
	arch_fpu_save(saved->fpu);
	activation->saved = saved;
	activation->orphan = NULL;
	trace_door(activation->server, PAGER_INTERFACE << 16 | PAGER_MESSAGE_fault);
	enter(thread, activation, door, RETURN_FAULT, frame);
	words_clear(frame);
	frame->rbx = frame->rbp = frame->r14 = frame->r15 = 0;
	frame->rsi = PAGER_INTERFACE << 16 | PAGER_MESSAGE_fault;
	frame->rdx = request.key;
	frame->r10 = request.offset;
	frame->r8 = request.access;
	cpu_this()->counters.pager_calls++;
	object_unref(&door->object);
	return OK;
drop:
	if (saved != NULL)
		pool_free(&saved_pool, saved);
	object_unref(&door->object);
	return err;
}

/* ---- ends that are not a return ---- */

/* Leave the innermost activation because its server is ending; the caller hears ERR_PEER_DIED. */
static void unwind_one(struct trap_frame *frame, struct thread *thread)
{
	switch (thread->activation->kind) {
	case RETURN_CALL:
		return_to_caller(frame, thread, ERR_PEER_DIED, 0);
		words_clear(frame);
		break;
	case RETURN_FAULT:
		return_to_fault(frame, thread, ERR_PEER_DIED);
		break;
	case RETURN_ORPHAN:
		orphan_ends(thread);
	}
}

static struct activation *outermost_expired(struct thread *thread)
{
	struct activation *found = NULL;

	for (struct activation *a = thread->activation; a != NULL; a = a->outer)
		if (__atomic_load_n(&a->expired, __ATOMIC_ACQUIRE) && a->orphan != NULL)
			found = a;
	return found;
}

/* Hand everything from the innermost activation out to `last` over to its orphan; the caller of `last` goes back. */
static void split(struct trap_frame *frame, struct thread *thread, struct activation *last)
{
	struct thread *orphan = last->orphan;
	struct activation *outer = last->outer;
	uint64_t rip = last->rip, rsp = last->rsp, fs = last->fs;
	uint64_t control = last->fpu_control;

	last->orphan = NULL;
	last->kind = RETURN_ORPHAN;
	special_set(last, SPECIAL_KIND);
	last->outer = NULL;
	orphan->activation = thread->activation;
	for (struct activation *a = orphan->activation; a != NULL; a = a->outer) {
		__atomic_store_n(&a->thread, orphan, __ATOMIC_RELEASE);
		orphan->depth++;
	}
	thread->depth -= orphan->depth;
	thread->activation = outer;

	thread_pend(orphan, PENDING_DEADLINE); /* it looks itself whether a call further in has expired too */
	thread_start_as(orphan, frame, arch_fs_base());
	object_unref(&orphan->object);

	sched_set_space(thread);
	arch_fs_base_set(fs);
	frame_of_caller(frame, rip, rsp, ERR_TIMED_OUT);
	words_clear(frame);
	arch_fpu_clear();
	arch_fpu_control_set(control);
	if (process_is_ending(thread_here(thread)))
		thread_pend(thread, PENDING_PEER_DIED);
}

void door_unwind(struct trap_frame *frame)
{
	struct thread *thread = thread_current();
	struct activation *expired;

	arch_irq_enable();
	while (thread->activation != NULL && process_is_ending(thread_here(thread)))
		unwind_one(frame, thread);
	expired = outermost_expired(thread);
	if (expired != NULL)
		split(frame, thread, expired);
	arch_irq_disable();
}
