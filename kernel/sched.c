/* SPDX-License-Identifier: GPL-2.0-only */
/* sched.c - who runs where.
 *
 * States and who moves a thread along:
 *   NEW      -> BLOCKED   thread_start, under its home's lock
 *   BLOCKED  -> READY     sched_ready: whoever wins the compare-and-swap queues it, nobody else
 *   BLOCKED  -> RUNNING   the thread itself, before it has switched (wait.c)
 *   READY    -> RUNNING   the CPU that has taken it out of a queue
 *   RUNNING  -> BLOCKED   the thread itself (wait.c)
 *   RUNNING  -> READY     sched_finish, when it was only preempted
 *   RUNNING  -> ENDED     the thread itself (thread_exit)
 *
 * I1  A thread is in a run queue only while it is READY and its registers are saved. The saving is what on_cpu tells:
 *     it is cleared in sched_finish(), on the next thread's stack. A preempted thread is queued there and not before; a
 *     thread that blocks and is woken from another CPU while it is still on its way out makes the waker spin on on_cpu.
 *     That CPU has interrupts off and needs none of the waker's locks (of rank WAIT at most), so the spin is short.
 * I2  thread->queue says in which CPU's queue a thread is, and is written under that queue's lock only: with that lock
 *     held, a thread->queue that names it is the truth.
 * I3  After a CPU has taken a new current thread it looks at its queue and at thread->pending once more (review()),
 *     behind a full barrier; who queues or pends does its write, then a barrier, then looks at the CPU. So one sees
 *     the other.
 * I4  At most one queue lock is held at a time.
 * I5  slice_end is DEADLINE_NEVER while no thread of the current one's priority waits: no tick then. */
#include "kernel/sched.h"

#include "kernel/door.h"
#include "kernel/log.h"
#include "kernel/trace.h"
#include "mm/kernel_space.h"

#define NO_PRIORITY (-1)

static uint64_t running_cpus; /* [a] mask of those that have called sched_init_cpu */

uint64_t sched_allowed(void)
{
	return __atomic_load_n(&running_cpus, __ATOMIC_RELAXED);
}

static bool cpu_is_idle(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->running_priority, __ATOMIC_RELAXED) == NO_PRIORITY &&
	       __atomic_load_n(&cpu->ready, __ATOMIC_RELAXED) == 0;
}

static bool may_run_on(const struct thread *thread, uint32_t cpu)
{
	return __atomic_load_n(&thread->affinity, __ATOMIC_RELAXED) >> cpu & 1;
}

/* ---- run queues ---- */

static void queue_insert(struct cpu *cpu, struct thread *thread, bool front) TA_EXCL(cpu->sched_lock)
{
	uint32_t priority = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
	struct list *queue = &cpu->run_queue[priority];

	if (front)
		list_prepend(queue, &thread->run_link);
	else
		list_append(queue, &thread->run_link);
	thread->queue_priority = priority;
	__atomic_store_n(&thread->queue, cpu->index + 1, __ATOMIC_RELEASE);
	cpu->ready_bits |= 1u << priority;
	cpu->ready++;
}

static void queue_remove(struct cpu *cpu, struct thread *thread) TA_EXCL(cpu->sched_lock)
{
	list_remove(&thread->run_link);
	__atomic_store_n(&thread->queue, 0, __ATOMIC_RELEASE);
	if (list_is_empty(&cpu->run_queue[thread->queue_priority]))
		cpu->ready_bits &= ~(1u << thread->queue_priority);
	cpu->ready--;
}

static int32_t best_priority(const struct cpu *cpu)
{
	uint32_t bits = __atomic_load_n(&cpu->ready_bits, __ATOMIC_RELAXED);

	return bits == 0 ? NO_PRIORITY : 31 - __builtin_clz(bits);
}

/* What this CPU owes to its queue and to its current thread. Interrupts off. */
static void review(struct cpu *cpu)
{
	struct thread *current = cpu->current;
	int32_t running = current == cpu->idle ? NO_PRIORITY : (int32_t)current->priority;
	int32_t best;

	__atomic_store_n(&cpu->running_priority, running, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* I3 */
	best = best_priority(cpu);
	if (current == cpu->idle)
		return; /* its loop looks by itself */
	if (best > running) {
		__atomic_or_fetch(&cpu->return_work, RETURN_RESCHEDULE, __ATOMIC_RELAXED);
	} else if (best == running && cpu->slice_end == DEADLINE_NEVER) {
		if (current->slice_left_ns == 0)
			__atomic_or_fetch(&cpu->return_work, RETURN_RESCHEDULE, __ATOMIC_RELAXED);
		else
			cpu->slice_end = arch_clock_ns() + current->slice_left_ns;
		timer_program();
	}
	if (__atomic_load_n(&current->pending, __ATOMIC_RELAXED) != 0)
		__atomic_or_fetch(&cpu->return_work, RETURN_THREAD, __ATOMIC_RELAXED);
}

/* After something was queued at `cpu`: does it have to know? Interrupts off. */
static void nudge(struct cpu *cpu, int32_t priority)
{
	int32_t running;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* I3 */
	if (cpu == cpu_this()) {
		review(cpu);
		return;
	}
	running = __atomic_load_n(&cpu->running_priority, __ATOMIC_RELAXED);
	if (priority > running ||
	    (priority == running && __atomic_load_n(&cpu->slice_end, __ATOMIC_RELAXED) == DEADLINE_NEVER))
		arch_ipi_reschedule(cpu->index);
}

/* The last CPU if it is idle (its caches are warm), else an idle one, else the last. In a call: always the last. */
static uint32_t choose_cpu(const struct thread *thread)
{
	uint64_t allowed = __atomic_load_n(&thread->affinity, __ATOMIC_RELAXED) & sched_allowed();
	uint32_t last = thread->cpu;
	bool last_allowed = allowed >> last & 1;

	if (thread->depth != 0 || allowed == 0)
		return last;
	if (last_allowed && cpu_is_idle(&cpus[last]))
		return last;
	for (uint64_t rest = allowed; rest != 0; rest &= rest - 1) {
		uint32_t index = (uint32_t)__builtin_ctzll(rest);

		if (cpu_is_idle(&cpus[index]))
			return index;
	}
	return last_allowed ? last : (uint32_t)__builtin_ctzll(allowed);
}

/* Queue a thread that nobody else can reach (I1). Interrupts off. */
static void enqueue(struct thread *thread, bool front)
{
	struct cpu *cpu = &cpus[choose_cpu(thread)];
	int32_t priority = (int32_t)thread->priority;
	uint64_t state = spin_lock_irq(&cpu->sched_lock);

	thread->cpu = cpu->index;
	queue_insert(cpu, thread, front);
	spin_unlock_irq(&cpu->sched_lock, state);
	nudge(cpu, priority); /* the thread may run, and be gone, by now */
}

bool sched_ready(struct thread *thread)
{
	enum thread_state expected = THREAD_BLOCKED;
	uint64_t state;

	if (!__atomic_compare_exchange_n(&thread->state, &expected, THREAD_READY, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	state = arch_irq_save();
	while (__atomic_load_n(&thread->on_cpu, __ATOMIC_ACQUIRE)) /* I1 */
		arch_pause();
	enqueue(thread, false);
	arch_irq_restore(state);
	return true;
}

/* Take somebody from another CPU's queue, with this CPU as its new one. */
static struct thread *steal_from(struct cpu *victim, uint32_t thief)
{
	struct thread *found = NULL;
	uint64_t state = spin_lock_irq(&victim->sched_lock);

	for (uint32_t bits = victim->ready_bits; bits != 0 && found == NULL;) {
		uint32_t priority = 31 - (uint32_t)__builtin_clz(bits);
		struct list *link;

		bits &= ~(1u << priority);
		list_for_each(link, &victim->run_queue[priority]) {
			struct thread *thread = list_entry(link, struct thread, run_link);

			if (thread->depth == 0 && may_run_on(thread, thief)) {
				found = thread;
				break;
			}
		}
	}
	if (found != NULL) {
		queue_remove(victim, found);
		found->cpu = thief;
	}
	spin_unlock_irq(&victim->sched_lock, state);
	return found;
}

static struct thread *steal(struct cpu *cpu)
{
	uint32_t count = cpu_count();

	for (uint32_t i = 1; i < count; i++) {
		struct cpu *victim = &cpus[(cpu->index + i) % count];
		struct thread *thread;

		if (__atomic_load_n(&victim->ready, __ATOMIC_RELAXED) == 0)
			continue;
		thread = steal_from(victim, cpu->index);
		if (thread != NULL)
			return thread;
	}
	return NULL;
}

/* Who runs next. `contender` (or NULL) is the current thread, which would go on. */
static struct thread *take_next(struct cpu *cpu, struct thread *contender)
{
	uint64_t state = spin_lock_irq(&cpu->sched_lock);
	int32_t best = best_priority(cpu);
	struct thread *next = contender;

	if (best != NO_PRIORITY && (contender == NULL || best > (int32_t)contender->priority ||
				    (best == (int32_t)contender->priority && contender->slice_left_ns == 0))) {
		next = list_entry(cpu->run_queue[best].next, struct thread, run_link);
		queue_remove(cpu, next);
	}
	spin_unlock_irq(&cpu->sched_lock, state);
	if (next == NULL)
		next = steal(cpu);
	return next != NULL ? next : cpu->idle;
}

/* ---- switching ---- */

static void account_time(struct cpu *cpu, struct thread *thread, uint64_t now)
{
	uint64_t ran = now - thread->started_ns;

	thread->started_ns = now;
	if (thread == cpu->idle) {
		cpu->counters.idle_ns += ran;
		return;
	}
	thread->cpu_ns += ran;
	if (cpu->slice_end != DEADLINE_NEVER)
		thread->slice_left_ns = cpu->slice_end > now ? cpu->slice_end - now : 0;
}

static void begin_slice(struct cpu *cpu, struct thread *thread, uint64_t now)
{
	thread->started_ns = now;
	if (thread->slice_left_ns == 0)
		thread->slice_left_ns = TIME_SLICE_NS;
	__atomic_store_n(&cpu->slice_end, DEADLINE_NEVER, __ATOMIC_RELAXED);
}

void sched_set_space(struct thread *thread)
{
	uint64_t state = arch_irq_save();
	struct cpu *cpu = cpu_this();
	struct process *here = thread_here(thread);
	struct space *space = here != NULL ? here->space : NULL;
	struct space_cpu *cell = space != NULL ? &space->cpu[cpu->index] : NULL;
	struct space_cpu *old = cpu->cell;
	uint64_t root = space != NULL ? space_root(space, cpu->index) : kernel_root();

	if (cell != old || root != root_current()) {
		/* Before its first translation can be cached; after a change made while it was away, flush. */
		bool stale = space != NULL && space_enter(space, cpu->index);

		uint32_t pcid = arch_load_root(root);

		if (cell != NULL)
			cell->pcid = pcid;
		if (stale)
			tlb_local_all();
		cpu->cell = cell;
		if (old != NULL && cell != old)
			space_cell_leave(old);
	}
	arch_irq_restore(state);
}

static void switch_to(struct cpu *cpu, struct thread *previous, struct thread *next, bool again, uint64_t now)
{
	trace_switch(next);
	cpu->previous = previous;
	cpu->previous_again = again;
	__atomic_store_n(&next->state, THREAD_RUNNING, __ATOMIC_RELAXED);
	__atomic_store_n(&next->on_cpu, true, __ATOMIC_RELAXED);
	begin_slice(cpu, next, now);
	__atomic_store_n(&cpu->current, next, __ATOMIC_RELAXED);
	cpu->counters.switches++;
	next->switches++;
	sched_set_space(next);
	arch_switch(previous, next);
	sched_finish();
}

/* `again`: the current thread could go on; it stays, or is queued anew. */
static void switch_away(bool again)
{
	struct cpu *cpu = cpu_this();
	struct thread *previous = cpu->current, *next;
	uint64_t now = arch_clock_ns();
	bool stays = again && (previous->depth != 0 || may_run_on(previous, cpu->index));

	DASSERT(cpu->locks_held == 0 && !arch_irq_enabled());
	account_time(cpu, previous, now);
	next = take_next(cpu, stays ? previous : NULL);
	if (next != previous) {
		switch_to(cpu, previous, next, again, now);
		return;
	}
	begin_slice(cpu, previous, now);
	review(cpu);
}

void sched_finish(void)
{
	struct cpu *cpu = cpu_this();
	struct thread *previous = cpu->previous;

	cpu->previous = NULL;
	if (previous == cpu->idle) {
		/* never queued */
	} else if (cpu->previous_again) {
		bool front = previous->slice_left_ns != 0;

		__atomic_store_n(&previous->state, THREAD_READY, __ATOMIC_RELAXED);
		__atomic_store_n(&previous->on_cpu, false, __ATOMIC_RELEASE);
		enqueue(previous, front);
	} else if (__atomic_load_n(&previous->state, __ATOMIC_RELAXED) == THREAD_ENDED) {
		list_append(&cpu->dead, &previous->run_link);
		__atomic_or_fetch(&cpu->return_work, RETURN_REAP, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&previous->on_cpu, false, __ATOMIC_RELEASE); /* from here on it can be anywhere */
	}
	review(cpu);
}

void sched_switch(void)
{
	switch_away(false);
}

void sched_preempt(void)
{
	switch_away(true);
}

void sched_yield(void)
{
	uint64_t state = arch_irq_save();
	struct cpu *cpu = cpu_this();

	cpu->slice_end = DEADLINE_NEVER;
	cpu->current->slice_left_ns = 0;
	switch_away(true);
	arch_irq_restore(state);
}

void sched_reap(void)
{
	for (;;) {
		uint64_t state = arch_irq_save();
		struct list *link = list_take_first(&cpu_this()->dead);

		arch_irq_restore(state);
		if (link == NULL)
			break;
		thread_reap(list_entry(link, struct thread, run_link));
	}
	doors_retire();
}

/* ---- changes from outside ---- */

/* The CPU in whose queue the thread is, with the queue locked; NULL and no lock if it is in none. */
static struct cpu *lock_queue_of(const struct thread *thread, uint64_t *state) TA_NONE
{
	uint32_t queue;

	while ((queue = __atomic_load_n(&thread->queue, __ATOMIC_ACQUIRE)) != 0) {
		struct cpu *cpu = &cpus[queue - 1];

		*state = spin_lock_irq(&cpu->sched_lock);
		if (thread->queue == queue) /* I2 */
			return cpu;
		spin_unlock_irq(&cpu->sched_lock, *state);
	}
	return NULL;
}

void sched_reprioritise(struct thread *thread, uint32_t priority) TA_NONE
{
	uint64_t interrupts = arch_irq_save(), state;
	struct cpu *cpu = lock_queue_of(thread, &state);

	__atomic_store_n(&thread->priority, priority, __ATOMIC_SEQ_CST);
	if (cpu != NULL) {
		queue_remove(cpu, thread);
		queue_insert(cpu, thread, false);
		spin_unlock_irq(&cpu->sched_lock, state);
		nudge(cpu, (int32_t)priority);
	} else {
		cpu = &cpus[thread->cpu];
		if (__atomic_load_n(&cpu->current, __ATOMIC_RELAXED) == thread)
			nudge(cpu, PRIORITIES); /* it compares itself with its queue again */
	}
	arch_irq_restore(interrupts);
}

void sched_apply_affinity(struct thread *thread) TA_NONE
{
	uint64_t interrupts = arch_irq_save(), state;
	struct cpu *cpu = lock_queue_of(thread, &state);

	if (cpu != NULL) {
		bool moves = thread->depth == 0 && !may_run_on(thread, cpu->index);

		if (moves)
			queue_remove(cpu, thread);
		spin_unlock_irq(&cpu->sched_lock, state);
		if (moves)
			enqueue(thread, false);
	}
	arch_irq_restore(interrupts);
}

/* ---- what the processor calls ---- */

void timer_interrupt(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t now = arch_clock_ns();

	timer_run(now);
	if (cpu->slice_end <= now) {
		cpu->slice_end = DEADLINE_NEVER;
		cpu->current->slice_left_ns = 0;
		__atomic_or_fetch(&cpu->return_work, RETURN_RESCHEDULE, __ATOMIC_RELAXED);
	}
	timer_program();
}

void sched_interrupt(void)
{
	review(cpu_this());
}

void user_return_work(struct trap_frame *frame)
{
	uint32_t work;

	/* Each step may switch, and come back on another CPU: ask for the CPU anew. */
	while ((work = __atomic_exchange_n(&cpu_this()->return_work, 0, __ATOMIC_RELAXED)) != 0) {
		if (work & RETURN_REAP) {
			arch_irq_enable();
			sched_reap();
			arch_irq_disable();
		}
		if (work & RETURN_THREAD)
			thread_return_work(frame);
		if (work & RETURN_LOG)
			log_readers_wake();
		if (work & RETURN_RESCHEDULE)
			sched_preempt();
	}
}

/* ---- bring-up ---- */

void sched_init_cpu(void)
{
	struct cpu *cpu = cpu_this();

	for (uint32_t i = 0; i < PRIORITIES; i++)
		list_init(&cpu->run_queue[i]);
	spin_init(&cpu->sched_lock, LOCK_RANK_SCHED);
	list_init(&cpu->dead);
	timer_init_cpu();
	cpu->running_priority = NO_PRIORITY;
	cpu->idle = thread_create_idle(cpu->index);
	cpu->idle->started_ns = arch_clock_ns();
	cpu->current = cpu->idle;
	__atomic_or_fetch(&running_cpus, 1ull << cpu->index, __ATOMIC_RELEASE);
}

void sched_start(void)
{
	for (;;) {
		struct cpu *cpu = cpu_this();

		sched_reap();
		arch_irq_disable();
		__atomic_store_n(&cpu->return_work, 0, __ATOMIC_RELAXED);
		log_readers_wake();
		sched_switch(); /* comes back when there is nothing to run */
		if (list_is_empty(&cpu->dead) && cpu->doors_retired == NULL &&
		    __atomic_load_n(&cpu->ready, __ATOMIC_RELAXED) == 0) {
			arch_idle(); /* who queues after this look (I3) sends an interrupt, and they are off until we sleep */
			account_time(cpu, cpu->idle, arch_clock_ns());
		}
		arch_irq_enable();
	}
}
