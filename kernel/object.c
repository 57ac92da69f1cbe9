/* SPDX-License-Identifier: GPL-2.0-only */
/* object.c - references, handle counts, signals, and waiting for signals.
 *
 * I1  Every handle holds a reference, so on_last_handle always finds a living object.
 * I2  A reference is only ever copied from one that exists, or taken by object_try_ref under a lock that destroy()
 *     needs to take the object off a list: nothing comes back from zero. */
#include "kernel/object.h"

#include "kernel/cpu.h"

#define REFERENCES_SANE 0x40000000u

void object_init(struct object *object, const struct object_class *class)
{
	object->class = class;
	object->references = 1;
	object->handles = 0;
	object->signals = 0;
	wait_queue_init(&object->waiters);
}

void object_ref(struct object *object)
{
	uint32_t before = __atomic_fetch_add(&object->references, 1, __ATOMIC_RELAXED);

	ASSERT(before != 0 && before < REFERENCES_SANE);
}

bool object_try_ref(struct object *object)
{
	uint32_t seen = __atomic_load_n(&object->references, __ATOMIC_RELAXED);

	while (seen != 0)
		if (__atomic_compare_exchange_n(&object->references, &seen, seen + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

void object_unref(struct object *object)
{
	uint32_t before = __atomic_fetch_sub(&object->references, 1, __ATOMIC_ACQ_REL);

	ASSERT(before != 0 && before < REFERENCES_SANE);
	if (before == 1) {
		DASSERT(object->handles == 0 && list_is_empty(&object->waiters.waiters));
		object->class->destroy(object);
	}
}

void object_handle_added(struct object *object)
{
	__atomic_add_fetch(&object->handles, 1, __ATOMIC_RELAXED);
}

void object_handle_dropped(struct object *object)
{
	uint32_t before = __atomic_fetch_sub(&object->handles, 1, __ATOMIC_ACQ_REL);

	ASSERT(before != 0);
	if (before == 1 && object->class->on_last_handle != NULL)
		object->class->on_last_handle(object);
}

void object_signal(struct object *object, uint32_t clear, uint32_t set)
{
	struct wait_queue *queue = &object->waiters;
	uint64_t state = spin_lock_irq(&queue->lock);
	uint32_t signals = (object->signals & ~clear) | set;
	struct list *link, *following;

	__atomic_store_n(&object->signals, signals, __ATOMIC_RELEASE);
	list_for_each_safe(link, following, &queue->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);

		if (waiter->key & signals) {
			waiter->key = signals; /* what it saw, even if the bit is cleared before it runs */
			wait_wake(waiter);
		}
	}
	spin_unlock_irq(&queue->lock, state);
}

/* Look, and queue up if there is nothing to see. True: seen, and *observed says what. */
static bool wait_begin(struct object *object, uint32_t wanted, struct waiter *waiter, uint32_t *observed)
{
	struct wait_queue *queue = &object->waiters;
	uint64_t state = spin_lock_irq(&queue->lock);
	bool seen = object->signals & wanted;

	if (seen) {
		*observed = object->signals;
	} else {
		waiter->thread = thread_current();
		waiter->queue = queue;
		waiter->key = wanted;
		wait_enqueue(queue, waiter);
	}
	spin_unlock_irq(&queue->lock, state);
	return seen;
}

err_t object_wait(struct object *object, uint32_t wanted, uint64_t deadline, uint32_t *observed)
{
	struct waiter waiter;
	err_t err;

	if (wait_begin(object, wanted, &waiter, observed))
		return OK;
	err = wait_block(deadline, false);
	if (wait_cancel(&waiter)) {
		*observed = (uint32_t)waiter.key;
		return OK;
	}
	return err == OK ? ERR_CANCELED : err;
}

/* Take the first `queued` waiters off; count the entries that saw what they want, and fill in what each saw. */
static uint32_t wait_many_end(struct object_wait_entry *entries, uint32_t count, uint32_t queued)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct object_wait_entry *entry = &entries[i];

		if (i < queued && wait_cancel(&entry->waiter))
			entry->observed = (uint32_t)entry->waiter.key;
		else if (i != queued) /* that one has seen its signal in wait_begin */
			entry->observed = object_signals(entry->object);
		if (entry->observed & entry->wanted)
			ready++;
	}
	return ready;
}

err_t object_wait_many(struct object_wait_entry *entries, uint32_t count, uint64_t deadline, uint32_t *ready)
{
	uint32_t queued = 0, found;
	err_t err = OK;

	while (queued < count && !wait_begin(entries[queued].object, entries[queued].wanted, &entries[queued].waiter,
					     &entries[queued].observed))
		queued++;
	if (queued == count)
		err = wait_block(deadline, false);
	found = wait_many_end(entries, count, queued);
	if (found == 0)
		return err == OK ? ERR_CANCELED : err;
	*ready = found;
	return OK;
}
