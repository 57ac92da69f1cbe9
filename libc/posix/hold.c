/* SPDX-License-Identifier: BSD-2-Clause */
/* hold.c - the cells of hold.h: handed to threads when they first want one, given back at their end. */
#include "posix/hold.h"

#include <lintel/process.h>

#include "core/sys.h"

#define HOLDS_MAX 128u
#define WAIT_NS 20000u

static struct hold holds[HOLDS_MAX];
static uint32_t holds_used; /* [a] cells from here on have never been taken */

void hold_prepare(void)
{
	struct pthread *self = thread_self();

	for (uint32_t i = 0; i < HOLDS_MAX && self->hold == NULL; i++) {
		uint32_t used = __atomic_load_n(&holds_used, __ATOMIC_RELAXED);
		if (__atomic_exchange_n(&holds[i].taken, 1, __ATOMIC_ACQUIRE) != 0)
			continue;
		while (used <= i && !__atomic_compare_exchange_n(&holds_used, &used, i + 1, true, __ATOMIC_SEQ_CST,
														 __ATOMIC_RELAXED))
			;
		self->hold = &holds[i];
	}
}

void thread_hold_end(struct pthread *thread)
{
	if (thread->hold != NULL)
		__atomic_store_n(&thread->hold->taken, 0, __ATOMIC_RELEASE);
	thread->hold = NULL;
}

/* What is held is a copy, or a look at a page: short, unless a page has to be fetched. */
void hold_wait(const struct file *file)
{
	const uint32_t used = __atomic_load_n(&holds_used, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < used; i++) {
		while (__atomic_load_n(&holds[i].file, __ATOMIC_SEQ_CST) == file)
			drop(lintel_thread_sleep(lintel_clock_ns() + WAIT_NS));
	}
}
