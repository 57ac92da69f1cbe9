/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c - time: the system page and rdtsc give it without entering the kernel. */
#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include <lintel/info.h>
#include <lintel/process.h>

#include "core/clock.h"
#include "core/sys.h"

#define NS_PER_SECOND 1000000000ull

uint64_t lintel_clock_ns(void)
{
	const struct sysinfo_page *page = lintel_sysinfo();
	uint64_t now = 0;

	if (unlikely(page == NULL)) {
		drop(lintel_clock_get(&now));
		return now;
	}
	uint64_t ticks = __builtin_ia32_rdtsc() - page->tsc_base;
	return (uint64_t)(((unsigned __int128)ticks * page->tsc_mult) >> page->tsc_shift);
}

static uint64_t boot_unix_ns(void)
{
	const struct sysinfo_page *page = lintel_sysinfo();

	return page == NULL ? 0 : page->boot_unix_ns;
}

uint64_t clock_unix_ns(void)
{
	return boot_unix_ns() + lintel_clock_ns();
}

int clock_deadline(clockid_t clock, const struct timespec *until, uint64_t *out)
{
	if (until->tv_nsec < 0 || until->tv_nsec >= (long)NS_PER_SECOND)
		return EINVAL;
	if (until->tv_sec < 0) {
		*out = 0;
		return 0;
	}
	uint64_t ns = DEADLINE_NEVER, base = clock == CLOCK_REALTIME ? boot_unix_ns() : 0;
	if ((uint64_t)until->tv_sec < DEADLINE_NEVER / NS_PER_SECOND)
		ns = (uint64_t)until->tv_sec * NS_PER_SECOND + (uint64_t)until->tv_nsec;
	*out = ns == DEADLINE_NEVER ? ns : ns > base ? ns - base : 0;
	return 0;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND) };
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	struct info_process info;

	switch (clock) {
	case CLOCK_MONOTONIC:
		*out = to_timespec(lintel_clock_ns());
		return 0;
	case CLOCK_REALTIME:
		*out = to_timespec(clock_unix_ns());
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		if (lintel_process_info(lintel_process(), &info, sizeof(info)) != OK)
			break;
		*out = to_timespec(info.cpu_ns);
		return 0;
	}
	errno = EINVAL;
	return -1;
}

int clock_getres(clockid_t clock, struct timespec *out)
{
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_PROCESS_CPUTIME_ID) {
		errno = EINVAL;
		return -1;
	}
	if (out != NULL)
		*out = to_timespec(1);
	return 0;
}

int clock_settime(clockid_t clock, const struct timespec *time)
{
	(void)clock;
	(void)time;
	errno = EPERM;
	return -1;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
	uint64_t deadline, now = lintel_clock_ns();
	bool absolute = (flags & TIMER_ABSTIME) != 0;

	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return EINVAL;
	if (!absolute && wanted->tv_sec < 0)
		return EINVAL;
	int error = clock_deadline(absolute ? clock : CLOCK_MONOTONIC, wanted, &deadline);
	if (error != 0)
		return error;
	if (!absolute && __builtin_add_overflow(deadline, now, &deadline))
		deadline = DEADLINE_NEVER;
	if (lintel_thread_sleep(deadline) == OK)
		return 0;
	now = lintel_clock_ns();
	if (!absolute && left != NULL)
		*left = to_timespec(deadline > now ? deadline - now : 0);
	return EINTR;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	int error = clock_nanosleep(CLOCK_MONOTONIC, 0, wanted, left);

	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

int usleep(useconds_t microseconds)
{
	struct timespec wanted = to_timespec((uint64_t)microseconds * 1000);

	return nanosleep(&wanted, NULL);
}

unsigned sleep(unsigned seconds)
{
	struct timespec wanted = { .tv_sec = (time_t)seconds }, left = { 0 };

	return nanosleep(&wanted, &left) == 0 ? 0 : (unsigned)left.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	uint64_t ns = clock_unix_ns();

	(void)zone;
	now->tv_sec = (time_t)(ns / NS_PER_SECOND);
	now->tv_usec = (suseconds_t)(ns % NS_PER_SECOND / 1000);
	return 0;
}

time_t time(time_t *out)
{
	time_t now = (time_t)(clock_unix_ns() / NS_PER_SECOND);

	if (out != NULL)
		*out = now;
	return now;
}

clock_t times(struct tms *out)
{
	struct timespec used = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	*out = (struct tms){ .tms_utime = (clock_t)((uint64_t)used.tv_sec * CLOCKS_PER_SEC +
		(uint64_t)used.tv_nsec / (NS_PER_SECOND / CLOCKS_PER_SEC)) };
	return (clock_t)(lintel_clock_ns() / (NS_PER_SECOND / CLOCKS_PER_SEC));
}
