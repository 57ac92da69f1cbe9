/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_alarm.c - alarm(): when it comes, what it replaces, and that none comes after it was taken back.
 * Builds on Linux too, where it must pass as well. */
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t arrived; /* [a] */

static void on_alarm(int number)
{
	(void)number;
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
	for (int64_t until = now_ms() + ms; now_ms() < until;)
		usleep(1000);
}

static void test_comes(void)
{
	int64_t begin = now_ms();

	arrived = 0;
	signal(SIGALRM, on_alarm);
	CHECK_EQUAL(alarm(1), 0);
	while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) == 0 && now_ms() < begin + 60000)
		usleep(1000);
	CHECK_EQUAL(arrived, 1);
	CHECK(now_ms() - begin >= 1000);
	CHECK_EQUAL(alarm(0), 0);
}

static void test_taken_back(void)
{
	arrived = 0;
	signal(SIGALRM, on_alarm);
	for (int i = 0; i < 100; i++) {
		CHECK_EQUAL(alarm(1), 0);
		CHECK_EQUAL(alarm(0), 1);
	}
	pause_ms(1200);
	CHECK_EQUAL(arrived, 0);
}

static void test_moved(void)
{
	int64_t begin = now_ms();

	arrived = 0;
	signal(SIGALRM, on_alarm);
	CHECK_EQUAL(alarm(1000), 0);
	unsigned left = alarm(1);
	CHECK(left > 900 && left <= 1000);
	while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) == 0 && now_ms() < begin + 60000)
		usleep(1000);
	CHECK_EQUAL(arrived, 1);
	CHECK_EQUAL(alarm(0), 0);
}

static void test_ignored(void)
{
	signal(SIGALRM, SIG_IGN);
	CHECK_EQUAL(alarm(1), 0);
	pause_ms(1200);
	CHECK_EQUAL(alarm(0), 0);
}

int main(void)
{
	CHECK_RUN(test_comes);
	CHECK_RUN(test_taken_back);
	CHECK_RUN(test_moved);
	CHECK_RUN(test_ignored);
	return check.failed;
}
