/* SPDX-License-Identifier: BSD-2-Clause */
/* sys.h - libc's own view of the system calls: futexes by pointer, results that may be dropped, mappings.
 * Private to libc. */
#pragma once

#include <lintel/syscalls.h>

/* For calls whose failure changes nothing for the caller. */
static inline void drop(err_t error)
{
	(void)error;
}

/* Sleeps if *word still has that value. Never fails in a way that matters: callers look at *word again.
 * ERR_TIMED_OUT is told apart; a canceled wait yields, so that a loop around it lets others run. */
static inline err_t futex_wait(const void *word, uint32_t expected, uint64_t deadline)
{
	err_t error = lintel_futex_wait((uint64_t)word, expected, deadline);

	if (error == ERR_CANCELED)
		drop(lintel_thread_yield());
	return error;
}

static inline void futex_wake(const void *word, uint32_t count)
{
	uint32_t woken;

	drop(lintel_futex_wake((uint64_t)word, count, &woken));
}

/* Fresh zeroed memory in this process; the VMO lives as long as the mapping. */
MUST_USE err_t memory_map(size_t bytes, uint64_t hint, uint32_t map_flags, void **out);
void memory_unmap(void *base, size_t bytes);

static inline size_t round_to_pages(size_t bytes)
{
	return (bytes + PAGE_MASK) & ~(size_t)PAGE_MASK;
}
