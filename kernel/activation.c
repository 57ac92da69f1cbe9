/* SPDX-License-Identifier: GPL-2.0-only */
/* activation.c - the stacks that a server has donated, per CPU: free lists and the FIFO of callers that found none.
 * This is the long way; call_fast_path.h takes from and gives to the free list by itself.
 *
 * I1  An activation is on its CPU's free list exactly while its thread is NULL, `special` 0 and the server not sealed
 *     there; donated by another CPU it waits in `donated` until somebody finds the free list empty.
 * I2  While anybody is in the FIFO the free list is empty: who gives an activation back hands it to the first waiter.
 *     Only this CPU adds waiters, so a CPU that sees its FIFO empty needs no lock to use the free list.
 * I3  Who is in an activation is pinned to its CPU (thread->depth > 0), so that the free list, the counts and the
 *     activations are touched from one CPU only, with interrupts off: donation, description and the end of the server
 *     come from anywhere, and leave them alone or come in a round. */
#include "kernel/door.h"

#include "kernel/cpu.h"
#include "mm/pool.h"

static struct pool activation_pool;
static struct pool serving_pool;
static struct pool serving_cpu_pool;
static uint64_t calls_ended[CPUS_MAX]; /* [a] */

void activation_init(void)
{
	pool_init(&activation_pool, "activation", sizeof(struct activation));
	pool_init(&serving_pool, "serving", sizeof(struct serving));
	pool_init(&serving_cpu_pool, "serving CPU", sizeof(struct serving_cpu));
}

err_t serving_create(struct process *process, struct serving **out)
{
	struct serving *serving = pool_alloc(&serving_pool);

	if (serving == NULL)
		return ERR_NO_MEMORY;
	serving->process = process;
	pager_family_init(&serving->pagers);
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct serving_cpu *there = pool_alloc(&serving_cpu_pool);

		if (there == NULL) {
			serving_free(serving);
			return ERR_NO_MEMORY;
		}
		wait_queue_init(&there->starved);
		serving->cpu[i] = there;
	}
	*out = serving;
	return OK;
}

void serving_free(struct serving *serving)
{
	for (uint32_t i = 0; i < cpu_count() && serving->cpu[i] != NULL; i++) {
		struct serving_cpu *there = serving->cpu[i];
		struct activation *following;

		ASSERT(there->arrived == there->left && list_is_empty(&there->starved.waiters));
		__atomic_add_fetch(&calls_ended[i], there->arrived, __ATOMIC_RELAXED);
		for (struct activation *activation = there->all; activation != NULL; activation = following) {
			following = activation->all_next;
			window_end(&activation->window[0]);
			window_end(&activation->window[1]);
			pool_free(&activation_pool, activation);
		}
		pool_free(&serving_cpu_pool, there);
	}
	pool_free(&serving_pool, serving);
}

/* To the first waiter, or to where takers look. */
static void hand_over(struct serving_cpu *there, struct activation *activation, struct activation **list)
	TA_EXCL(there->starved.lock)
{
	struct waiter *first;

	if (list_is_empty(&there->starved.waiters)) {
		activation->next_free = *list;
		*list = activation;
		return;
	}
	first = list_entry(there->starved.waiters.next, struct waiter, link);
	first->context = activation;
	activation->thread = first->thread;
	wait_wake(first);
}

err_t activation_donate(struct serving *serving, uint32_t cpu, uint64_t stack, uint64_t tls)
{
	struct serving_cpu *there = serving->cpu[cpu];
	struct activation *activation = pool_alloc(&activation_pool);
	uint64_t state;

	if (activation == NULL)
		return ERR_NO_MEMORY;
	activation->server = serving->process;
	activation->cell = &serving->process->space->cpu[cpu];
	activation->here = there;
	activation->cpu = cpu;
	activation->stack = stack;
	activation->tls = tls;
	__atomic_store_n(&activation->cell->used, 1, __ATOMIC_SEQ_CST); /* call_fast_path.h does not say so */

	state = spin_lock_irq(&there->starved.lock);
	if (there->activations == ACTIVATIONS_PER_CPU_MAX) {
		spin_unlock_irq(&there->starved.lock, state);
		pool_free(&activation_pool, activation);
		return ERR_LIMIT;
	}
	window_init(&activation->window[0], there->activations * DOOR_WINDOWS);
	window_init(&activation->window[1], there->activations * DOOR_WINDOWS + 1);
	activation->all_next = there->all;
	__atomic_store_n(&there->all, activation, __ATOMIC_RELEASE);
	there->activations++;
	hand_over(there, activation, &there->donated);
	spin_unlock_irq(&there->starved.lock, state);
	return OK;
}

/* The caller of an exhausted server waits; the server hears of it through SIGNAL_STARVED and may donate more. */
static err_t activation_wait(struct door *door, struct waiter *waiter, uint64_t deadline,
			     struct activation **out)
{
	struct door *master = door->master != NULL ? door->master : door;
	err_t err;

	object_signal(&master->object, 0, SIGNAL_STARVED);
	err = wait_block(deadline, false);
	if (wait_cancel(waiter)) {
		*out = waiter->context;
		if (*out == NULL)
			return ERR_PEER_DIED;
		return OK;
	}
	return err == OK ? ERR_CANCELED : err;
}

err_t activation_take(struct door *door, uint64_t deadline, struct activation **out)
{
	struct serving_cpu *here = door->serving->cpu[cpu_current()];
	struct waiter waiter = { .thread = thread_current() };
	uint64_t state = spin_lock_irq(&here->starved.lock);
	struct activation *activation;

	if (process_is_ending(door->server)) {
		spin_unlock_irq(&here->starved.lock, state);
		return ERR_PEER_DIED;
	}
	if (here->free == NULL) {
		here->free = here->donated;
		here->donated = NULL;
	}
	activation = here->free;
	if (activation == NULL) {
		here->crowded = 1;
		wait_enqueue(&here->starved, &waiter);
		spin_unlock_irq(&here->starved.lock, state);
		return activation_wait(door, &waiter, deadline, out);
	}
	here->free = activation->next_free;
	activation->door = NULL; /* the short way leaves its own behind; until `enter` we are no user of any (retire.c) */
	activation->thread = waiter.thread;
	spin_unlock_irq(&here->starved.lock, state);
	*out = activation;
	return OK;
}

void activation_give(struct activation *activation)
{
	struct serving_cpu *here = activation->here;
	struct activation *none = NULL;
	uint64_t state = spin_lock_irq(&here->starved.lock);

	activation->thread = NULL;
	hand_over(here, activation, here->sealed ? &none : &here->free);
	here->crowded = !list_is_empty(&here->starved.waiters);
	spin_unlock_irq(&here->starved.lock, state);
}

/* ---- the server ends ---- */

/* On each CPU, interrupts off: no short way is under way here. From now on nobody gets in by it, and who is inside
 * leaves by the long one. Threads in activations cannot end, so that a reference can be taken. */
static void seal_here(void *argument)
{
	struct serving *serving = argument;
	struct serving_cpu *here = serving->cpu[cpu_current()];

	here->sealed = true;
	here->free = NULL;
	for (struct activation *a = __atomic_load_n(&here->all, __ATOMIC_ACQUIRE); a != NULL; a = a->all_next) {
		__atomic_or_fetch(&a->special, SPECIAL_DYING, __ATOMIC_RELAXED);
		/* Deeper in: it hears of it when it comes back here (call.c, leave). */
		if (a->thread != NULL && thread_here(a->thread) == serving->process) {
			object_ref(&a->thread->object);
			a->nudged = a->thread;
		}
	}
}

void serving_seal(struct serving *serving)
{
	uint64_t interrupts = arch_irq_save();

	seal_here(serving);
	arch_irq_restore(interrupts);
	tlb_round((struct cpu_set){ UINT64_MAX }, seal_here, serving);
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct serving_cpu *there = serving->cpu[i];
		uint64_t state = spin_lock_irq(&there->starved.lock);

		while (wait_wake_first(&there->starved) != NULL)
			;
		spin_unlock_irq(&there->starved.lock, state);
		for (struct activation *a = there->all; a != NULL; a = a->all_next) {
			if (a->nudged == NULL)
				continue;
			thread_pend(a->nudged, PENDING_PEER_DIED);
			object_unref(&a->nudged->object);
			a->nudged = NULL;
		}
	}
}

/* ---- counts ---- */

/* Never too few: who arrives between the two looks is counted, and looks again when it leaves (process.c, I1, I2). */
static uint32_t inside_there(const struct serving_cpu *there)
{
	uint64_t left = __atomic_load_n(&there->left, __ATOMIC_SEQ_CST);

	return (uint32_t)(__atomic_load_n(&there->arrived, __ATOMIC_SEQ_CST) - left);
}

uint32_t serving_inside(const struct serving *serving)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < cpu_count(); i++)
		sum += inside_there(serving->cpu[i]);
	return sum;
}

static uint32_t waiting_there(struct serving_cpu *there)
{
	uint64_t state = spin_lock_irq(&there->starved.lock);
	uint32_t waiting = 0;
	struct list *link;

	list_for_each(link, &there->starved.waiters)
		waiting++;
	spin_unlock_irq(&there->starved.lock, state);
	return waiting;
}

uint32_t serving_waiting(struct serving *serving)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < cpu_count(); i++)
		sum += waiting_there(serving->cpu[i]);
	return sum;
}

void serving_describe(struct serving *serving, uint32_t cpu, struct info_activation *out)
{
	struct serving_cpu *there = serving->cpu[cpu];
	uint32_t waiting = waiting_there(there);
	uint32_t inside = inside_there(there);

	*out = (struct info_activation){
		.calls = there->arrived,
		.activations = there->activations,
		.activations_busy = inside > waiting ? inside - waiting : 0,
		.waiting = waiting,
	};
}

uint64_t door_calls_ended(uint32_t cpu)
{
	return __atomic_load_n(&calls_ended[cpu], __ATOMIC_RELAXED);
}

uint64_t activations_count(void)
{
	return pool_count(&activation_pool);
}
