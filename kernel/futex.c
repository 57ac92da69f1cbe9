/* SPDX-License-Identifier: GPL-2.0-only */
/* futex.c - sleepers in hashed queues, by the VMO and offset of their word.
 *
 * The order that loses no wake-up: the sleeper queues itself, then reads the word, then sleeps. Who changes the word
 * and then wakes either finds the sleeper in the queue, or has changed the word before the sleeper reads it. */
#include "kernel/futex.h"

#include "kernel/cpu.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"

#define BUCKETS 256u /* a power of two */

static struct wait_queue buckets[BUCKETS];

void futex_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		wait_queue_init(&buckets[i]);
}

static struct wait_queue *bucket_of(const struct futex_key *key)
{
	uint64_t hash = (key->vmo_id * 0x9e3779b97f4a7c15ull) ^ (key->offset * 0xc2b2ae3d27d4eb4full);

	return &buckets[hash >> 40 & (BUCKETS - 1)];
}

static err_t key_of(uint64_t word, struct futex_key *out)
{
	if (word % 4 != 0 || !address_is_user(word, 4))
		return ERR_ARGS;
	return space_futex_key(process_here()->space, VADDR(word), out);
}

err_t futex_wake(uint64_t word, uint32_t count, uint32_t *woken)
{
	struct wait_queue *bucket;
	struct list *link, *following;
	struct futex_key key;
	uint32_t found = 0;
	uint64_t state;
	err_t err = key_of(word, &key);

	if (err != OK)
		return err;
	bucket = bucket_of(&key);
	state = spin_lock_irq(&bucket->lock);
	list_for_each_safe(link, following, &bucket->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);
		const struct futex_key *theirs = waiter->context;

		if (found == count)
			break;
		if (theirs->vmo_id == key.vmo_id && theirs->offset == key.offset) {
			wait_wake(waiter);
			found++;
		}
	}
	spin_unlock_irq(&bucket->lock, state);
	*woken = found;
	return OK;
}

err_t sys_futex_wait(uint64_t word, uint32_t expected, uint64_t deadline)
{
	struct waiter waiter = { .thread = thread_current() };
	struct wait_queue *bucket;
	struct futex_key key;
	uint32_t value;
	uint64_t state;
	err_t err = key_of(word, &key);

	if (err != OK)
		return err;
	bucket = bucket_of(&key);
	waiter.context = &key;
	state = spin_lock_irq(&bucket->lock);
	wait_enqueue(bucket, &waiter);
	spin_unlock_irq(&bucket->lock, state);

	err = user_load32((const uint32_t __user *)word, &value);
	if (err == OK && value != expected)
		err = ERR_AGAIN;
	else if (err == OK)
		err = wait_block(deadline, false);
	if (wait_cancel(&waiter) && thread_current()->pager_request.vmo == NULL)
		return OK;
	return err;
}

err_t sys_futex_wake(uint64_t word, uint32_t count, uint64_t *result)
{
	uint32_t woken;
	err_t err = futex_wake(word, count, &woken);

	if (err == OK)
		*result = woken;
	return err;
}
