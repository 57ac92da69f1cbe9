/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_headers.c - POSIX's headers leave the ABI's names to the program: what is compiled here is the test. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#if defined(LINTEL_ERRORS) || defined(SYSINFO_MAGIC) || defined(HANDLE_NONE)
#error "a POSIX header has included one of the ABI's"
#endif

enum own_names {
	OK = 40, ERR_ARGS, ERR_NOT_FOUND, ACCESS_READ, ACCESS_WRITE, RIGHT_READ, SPACE_READ, SPACE_FIXED, VMO_RESIZABLE,
	OBJECT_NONE, SIGNAL_TERMINATED, ZONE_RAM, FILE_REGULAR, FS_OPEN_READ, LARGE_PAGE_SIZE
};
#ifndef __linux__
enum more_own_names { PAGE_SIZE = 60, PAGE_SHIFT, PAGE_MASK, MUST_USE, NORETURN, ALIGNED, ARRAY_LEN };
#endif
typedef struct { int own; } err_t;
typedef struct { int own; } handle_t;

static void names_are_the_programs(void)
{
	err_t error = { OK };
	handle_t handle = { ACCESS_READ };

	CHECK_EQUAL(error.own, 40);
	CHECK_EQUAL(handle.own, 43);
	CHECK((MAP_FIXED & (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)) == 0 && MAP_FIXED != MAP_POPULATE);
}

int main(void)
{
	CHECK_RUN(names_are_the_programs);
	return check.failed;
}
