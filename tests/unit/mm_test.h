/* SPDX-License-Identifier: BSD-2-Clause */
/* mm_test.h - what the tests of mm/ share: include first. Every test ends with the memory it began
 * with. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/mm.h"
#include "mm/revoke.h"
#include "mm/window.h"
#include "port_host.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define RW (SPACE_READ | SPACE_WRITE)
#define RIGHTS_RWX (RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE)

#define assert_ok(call) assert_int_equal((call), OK)
#define assert_err(call, error) assert_int_equal((call), (error))

struct mm_test {
	uint64_t free_pages;
	uint64_t vmos;
	uint64_t regions;
};

static inline int mm_test_begin(void **state)
{
	struct mm_test *test = malloc(sizeof(*test));

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		host_set_cpu(cpu);
		host_leave();
	}
	host_set_cpu(0);
	mm_reclaim();
	test->free_pages = frame_free_count();
	test->vmos = vmo_count();
	test->regions = region_count();
	*state = test;
	return 0;
}

static inline int mm_test_end(void **state)
{
	struct mm_test *test = *state;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		host_set_cpu(cpu);
		host_leave();
		if (!window_check(cpu))
			fail_msg("window_check");
	}
	host_set_cpu(0);
	mm_reclaim();
	if (!frame_check())
		fail_msg("frame_check");
	if (frame_free_count() != test->free_pages)
		fail_msg("%lld pages lost", (long long)(test->free_pages - frame_free_count()));
	if (vmo_count() != test->vmos || region_count() != test->regions)
		fail_msg("VMOs or regions lost");
	free(test);
	return 0;
}

#define MM_TEST(function) cmocka_unit_test_setup_teardown(function, mm_test_begin, mm_test_end)
