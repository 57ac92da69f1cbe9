/* SPDX-License-Identifier: GPL-2.0-only */
/* activation.c - the stacks that a server has donated, per CPU: free lists and the FIFO of callers that found none.
 *
 * I1  An activation is on its CPU's free list exactly while its thread is NULL.
 * I2  While anybody is in the FIFO the free list is empty: who gives an activation back hands it to the first waiter.
 * I3  Who is in an activation is pinned to its CPU (thread->depth > 0), so that lock and lists are touched from one CPU
 *     only; the exceptions are donation, description and death, which come from anywhere. */
#include "kernel/door.h"

#include "kernel/cpu.h"
#include "mm/pool.h"

static struct pool activation_pool;
static struct pool serving_pool;
static struct pool serving_cpu_pool;

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
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct serving_cpu *there = pool_alloc(&serving_cpu_pool);

		if (there == NULL) {
			serving_free(serving);
			return ERR_NO_MEMORY;
		}
		wait_queue_init(&there->starved);
		list_init(&there->free);
		list_init(&there->all);
		serving->cpu[i] = there;
	}
	*out = serving;
	return OK;
}

void serving_free(struct serving *serving)
{
	for (uint32_t i = 0; i < cpu_count() && serving->cpu[i] != NULL; i++) {
		struct serving_cpu *there = serving->cpu[i];
		struct list *link;

		ASSERT(there->busy == 0 && list_is_empty(&there->starved.waiters));
		while ((link = list_take_first(&there->all)) != NULL)
			pool_free(&activation_pool, list_entry(link, struct activation, all_link));
		pool_free(&serving_cpu_pool, there);
	}
	pool_free(&serving_pool, serving);
}

static void busy_count(struct serving_cpu *there, uint32_t cpu, int32_t change)
{
	there->busy += (uint32_t)change;
	__atomic_add_fetch(&cpus[cpu].activations_busy, (uint64_t)(int64_t)change, __ATOMIC_RELAXED);
}

err_t activation_donate(struct serving *serving, uint32_t cpu, uint64_t stack, uint64_t tls)
{
	struct serving_cpu *there = serving->cpu[cpu];
	struct activation *activation = pool_alloc(&activation_pool);
	uint64_t state;

	if (activation == NULL)
		return ERR_NO_MEMORY;
	activation->server = serving->process;
	activation->cpu = cpu;
	activation->stack = stack;
	activation->tls = tls;
	list_init(&activation->free_link);
	list_init(&activation->all_link);

	state = spin_lock_irq(&there->starved.lock);
	if (there->activations == ACTIVATIONS_PER_CPU_MAX) {
		spin_unlock_irq(&there->starved.lock, state);
		pool_free(&activation_pool, activation);
		return ERR_LIMIT;
	}
	window_init(&activation->window[0], there->activations * DOOR_WINDOWS);
	window_init(&activation->window[1], there->activations * DOOR_WINDOWS + 1);
	list_append(&there->all, &activation->all_link);
	there->activations++;
	busy_count(there, cpu, 1); /* until it is given, below */
	spin_unlock_irq(&there->starved.lock, state);
	activation_give(activation);
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
	struct thread *thread = thread_current();
	struct waiter waiter = { .thread = thread };
	uint64_t state = spin_lock_irq(&here->starved.lock);
	struct list *link = list_take_first(&here->free);

	if (process_is_ending(door->server)) {
		if (link != NULL)
			list_prepend(&here->free, link);
		spin_unlock_irq(&here->starved.lock, state);
		return ERR_PEER_DIED;
	}
	if (likely(link != NULL)) {
		struct activation *activation = list_entry(link, struct activation, free_link);

		activation->thread = thread;
		busy_count(here, activation->cpu, 1);
		here->calls++;
		spin_unlock_irq(&here->starved.lock, state);
		*out = activation;
		return OK;
	}
	here->calls++;
	wait_enqueue(&here->starved, &waiter);
	spin_unlock_irq(&here->starved.lock, state);
	return activation_wait(door, &waiter, deadline, out);
}

void activation_give(struct activation *activation)
{
	struct serving_cpu *here = activation->server->serving->cpu[activation->cpu];
	uint64_t state = spin_lock_irq(&here->starved.lock);

	activation->thread = NULL;
	if (list_is_empty(&here->starved.waiters)) {
		list_prepend(&here->free, &activation->free_link);
		busy_count(here, activation->cpu, -1);
	} else {
		struct waiter *first = list_entry(here->starved.waiters.next, struct waiter, link);

		first->context = activation;
		activation->thread = first->thread;
		wait_wake(first);
	}
	spin_unlock_irq(&here->starved.lock, state);
}

void serving_nudge(struct serving *serving)
{
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct serving_cpu *there = serving->cpu[i];
		uint64_t state = spin_lock_irq(&there->starved.lock);
		struct list *link;

		while (wait_wake_first(&there->starved) != NULL)
			;
		list_for_each(link, &there->all) {
			struct activation *activation = list_entry(link, struct activation, all_link);

			/* Deeper in: it hears of it when it comes back here (call.c, leave). */
			if (activation->thread != NULL && activation->thread->here == serving->process)
				thread_pend(activation->thread, PENDING_PEER_DIED);
		}
		spin_unlock_irq(&there->starved.lock, state);
	}
}

void serving_describe(struct serving *serving, uint32_t cpu, struct info_activation *out)
{
	struct serving_cpu *there = serving->cpu[cpu];
	uint64_t state = spin_lock_irq(&there->starved.lock);
	struct list *link;

	*out = (struct info_activation){
		.calls = there->calls,
		.activations = there->activations,
		.activations_busy = there->busy,
	};
	list_for_each(link, &there->starved.waiters)
		out->waiting++;
	spin_unlock_irq(&there->starved.lock, state);
}

uint64_t activations_busy(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cpu_count(); i++)
		sum += __atomic_load_n(&cpus[i].activations_busy, __ATOMIC_RELAXED);
	return sum;
}

uint64_t activations_count(void)
{
	return pool_count(&activation_pool);
}
