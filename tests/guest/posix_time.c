/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_time.c - clocks and sleeping. Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static int64_t now_ns(clockid_t clock)
{
	struct timespec now = { 0, 0 };

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void test_monotonic(void)
{
	int64_t last = now_ns(CLOCK_MONOTONIC), first = last;
	struct timespec step = { 1, 0 };

	for (int i = 0; i < 100000; i++) {
		int64_t now = now_ns(CLOCK_MONOTONIC);
		CHECK(now >= last);
		last = now;
	}
	CHECK(last > first);
	CHECK_EQUAL(clock_getres(CLOCK_MONOTONIC, &step), 0);
	CHECK(step.tv_sec == 0 && step.tv_nsec > 0);
	CHECK(clock_gettime((clockid_t)1234, &step) == -1 && errno == EINVAL);
}

static void test_realtime(void)
{
	struct timeval wall;
	int64_t now = now_ns(CLOCK_REALTIME);

	CHECK(now > 1500000000ll * 1000000000); /* 2017 */
	CHECK_EQUAL(gettimeofday(&wall, NULL), 0);
	CHECK(wall.tv_sec - now / 1000000000 <= 1);
	CHECK(time(NULL) - wall.tv_sec <= 1);
}

static void test_sleep(void)
{
	const struct timespec wanted = { 0, 30000000 }, wrong = { 0, 1000000000 };
	int64_t before = now_ns(CLOCK_MONOTONIC), slept;

	CHECK_EQUAL(nanosleep(&wanted, NULL), 0);
	slept = now_ns(CLOCK_MONOTONIC) - before;
	CHECK(slept >= 30000000);
	CHECK(slept < 10000000000);
	struct timespec until = { (before + 90000000) / 1000000000, (before + 90000000) % 1000000000 };
	CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 90000000);
	CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	CHECK(nanosleep(&wrong, NULL) == -1 && errno == EINVAL);
	CHECK_EQUAL(usleep(1000), 0);
}

static void test_numbers(void)
{
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
	CHECK_EQUAL(sysconf(_SC_PAGESIZE), 4096);
	CHECK(getpid() > 0);
}

int main(void)
{
	CHECK_RUN(test_monotonic);
	CHECK_RUN(test_realtime);
	CHECK_RUN(test_sleep);
	CHECK_RUN(test_numbers);
	return check.failed;
}
