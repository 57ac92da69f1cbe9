/* SPDX-License-Identifier: BSD-2-Clause */
/* mm_inject.c - mm/frame.c and mm/pool.c with a switch that makes the nth allocation fail. Link it
 * in their place. */
#define frame_alloc real_frame_alloc
#define frame_alloc_zeroed real_frame_alloc_zeroed
#define frame_alloc_run real_frame_alloc_run
#define frame_alloc_large real_frame_alloc_large
#include "mm/frame.c"
#define pool_alloc real_pool_alloc
#define pool_alloc_raw real_pool_alloc_raw
#include "mm/pool.c"
#undef frame_alloc
#undef frame_alloc_zeroed
#undef frame_alloc_run
#undef frame_alloc_large
#undef pool_alloc
#undef pool_alloc_raw

#include "port_host.h"

static uint64_t fail_at;
static uint64_t allocations;

void host_fail_allocation(uint64_t nth)
{
	fail_at = nth;
	allocations = 0;
}

uint64_t host_allocations(void)
{
	return allocations;
}

static bool must_fail(void)
{
	return ++allocations == fail_at;
}

MUST_USE err_t frame_alloc(struct account *account, paddr_t *out);
MUST_USE err_t frame_alloc_zeroed(struct account *account, paddr_t *out);
MUST_USE err_t frame_alloc_large(struct account *account, paddr_t *out);
MUST_USE err_t frame_alloc_run(struct account *account, uint64_t pages, paddr_t *out);
void *pool_alloc(struct pool *pool);
void *pool_alloc_raw(struct pool *pool);

err_t frame_alloc(struct account *account, paddr_t *out)
{
	return must_fail() ? ERR_NO_MEMORY : real_frame_alloc(account, out);
}

err_t frame_alloc_zeroed(struct account *account, paddr_t *out)
{
	return must_fail() ? ERR_NO_MEMORY : real_frame_alloc_zeroed(account, out);
}

err_t frame_alloc_large(struct account *account, paddr_t *out)
{
	return must_fail() ? ERR_NO_MEMORY : real_frame_alloc_large(account, out);
}

err_t frame_alloc_run(struct account *account, uint64_t pages, paddr_t *out)
{
	return must_fail() ? ERR_NO_MEMORY : real_frame_alloc_run(account, pages, out);
}

void *pool_alloc(struct pool *pool)
{
	return must_fail() ? NULL : real_pool_alloc(pool);
}

void *pool_alloc_raw(struct pool *pool)
{
	return must_fail() ? NULL : real_pool_alloc_raw(pool);
}
