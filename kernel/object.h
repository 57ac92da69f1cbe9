/* SPDX-License-Identifier: GPL-2.0-only */
/* object.h - what all things that a handle can name have in common: references, handle count,
 * signals, waiters. References keep the memory; handles (which also hold one reference each) decide
 * when on_last_handle runs.
 * Locks: [a] atomic  [w] waiters.lock.  Context: threads; object_signal also from interrupts. */
#pragma once

#include "kernel/wait.h"

struct object;

struct object_class {
	enum object_type type;
	uint32_t rights;                       /* all rights that make sense for the type */
	void (*on_last_handle)(struct object *object); /* may be NULL; the last handle was closed */
	void (*destroy)(struct object *object);        /* the last reference went; frees the memory */
};

struct object {
	const struct object_class *class; /* [I] */
	uint32_t references;              /* [a] */
	uint32_t handles;                 /* [a] */
	uint32_t signals;                 /* [w] written under the lock, read freely */
	struct wait_queue waiters;        /* threads in object_wait / object_wait_many */
};

/* one reference: the creator's */
void object_init(struct object *object, const struct object_class *class);
void object_ref(struct object *object);
/* for lists that hold no reference: false if it is being freed */
MUST_USE bool object_try_ref(struct object *object);
void object_unref(struct object *object); /* threads only: the last one frees */
/* Every handle on the object counts (handle.c); the last one gone calls on_last_handle. Neither
 * touches references. */
void object_handle_added(struct object *object);
void object_handle_dropped(struct object *object);
/* wakes whoever waits for one of them */
void object_signal(struct object *object, uint32_t clear, uint32_t set);
static inline uint32_t object_signals(const struct object *object)
{
	return __atomic_load_n(&object->signals, __ATOMIC_ACQUIRE);
}
/* Sleep until one of `wanted` is set; *observed is the whole word at that moment. A deadline that
 * has passed makes it a look without sleeping. ERR_TIMED_OUT, ERR_CANCELED. */
MUST_USE err_t object_wait(struct object *object, uint32_t wanted, uint64_t deadline, uint32_t *observed);

/* The same for several; each entry's `observed` is filled on OK, *ready counts those that have a
 * wanted signal. */
struct object_wait_entry {
	struct object *object;
	uint32_t wanted;
	uint32_t observed;
	struct waiter waiter;
};
MUST_USE err_t object_wait_many(struct object_wait_entry *entries, uint32_t count, uint64_t deadline, uint32_t *ready);
