/* SPDX-License-Identifier: BSD-2-Clause */
/* sysconf.c - limits and numbers of the machine; yielding; entropy. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include <lintel/process.h>

#include "core/sys.h"

static long cpu_count(void)
{
	const struct sysinfo_page *page = lintel_sysinfo();

	return page == NULL ? 1 : (long)page->cpus;
}

long sysconf(int name)
{
	switch (name) {
	case _SC_PAGESIZE: return (long)PAGE_SIZE;
	case _SC_NPROCESSORS_CONF:
	case _SC_NPROCESSORS_ONLN: return cpu_count();
	case _SC_OPEN_MAX: return OPEN_MAX;
	case _SC_CLK_TCK: return CLOCKS_PER_SEC;
	case _SC_VERSION: return _POSIX_VERSION;
	case _SC_ARG_MAX: return STARTUP_BYTES_MAX;
	}
	errno = EINVAL;
	return -1;
}

int getpagesize(void)
{
	return (int)PAGE_SIZE;
}

int sched_yield(void)
{
	drop(lintel_thread_yield());
	return 0;
}

int sched_getcpu(void)
{
	uint32_t cpu = 0;

	drop(lintel_cpu_current(&cpu));
	return (int)cpu;
}
