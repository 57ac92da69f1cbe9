/* SPDX-License-Identifier: BSD-2-Clause */
/* hold.c - waiting until nobody holds a file; see hold.h. */
#include "posix/hold.h"

#include <lintel/process.h>

#include "core/sys.h"

#define WAIT_NS 20000u

static bool is_held(const struct file *file)
{
	bool held = false;

	lock_acquire(&threads_lock);
	for (struct pthread *each = threads; each != NULL && !held; each = each->all_next)
		held = __atomic_load_n(&each->held, __ATOMIC_SEQ_CST) == file;
	lock_release(&threads_lock);
	return held;
}

/* What a hold is for is a copy, or a look at a page: short, unless a page has to be fetched. */
void hold_wait_for_others(const struct file *file)
{
	while (is_held(file))
		drop(lintel_thread_sleep(lintel_clock_ns() + WAIT_NS));
}
