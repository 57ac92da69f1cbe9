/* SPDX-License-Identifier: BSD-2-Clause */
/* pmfs_host.h - what pmfs's unit tests share: a device in memory, mount and check that fail
 * loudly, random numbers. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/pmfs/pmfs.h"

struct device {
	uint8_t *base;
	uint64_t bytes;
	struct pmfs *fs;
};

static inline void device_log(const char *line)
{
	if (getenv("PMFS_LOG") != NULL)
		fprintf(stderr, "pmfs: %s\n", line);
}

static inline void device_make(struct device *d, uint64_t bytes)
{
	*d = (struct device) { .bytes = bytes, .base = aligned_alloc(4096, (bytes + 4095) & ~4095ull) };
	assert_non_null(d->base);
	memset(d->base, 0, (bytes + 4095) & ~4095ull);
}

static inline err_t device_try(struct device *d, bool format, char reason[PMFS_REASON_BYTES])
{
	const struct pmfs_options options = { .format = format, .cpus = 2, .seed = 42, .log = device_log };

	return pmfs_mount(d->base, d->bytes, &options, &d->fs, reason);
}

static inline void device_mount(struct device *d)
{
	char reason[PMFS_REASON_BYTES];
	err_t err = device_try(d, false, reason);

	if (err != OK)
		fail_msg("mount: error %d: %s", err, reason);
}

static inline void device_say(void *context, const char *line)
{
	(void)context;
	print_error("check: %s\n", line);
}

static inline void device_quiet(void *context, const char *line)
{
	(void)context;
	(void)line;
}

static inline void device_check(struct device *d)
{
	assert_int_equal(pmfs_check(d->fs, device_say, NULL), OK);
}

static inline void device_unmount(struct device *d)
{
	assert_int_equal(pmfs_unmount(d->fs), OK);
	d->fs = NULL;
}

static inline void device_remount(struct device *d)
{
	device_check(d);
	device_unmount(d);
	device_mount(d);
	assert_false(pmfs_was_unclean(d->fs));
}

static inline void device_end(struct device *d)
{
	if (d->fs != NULL)
		device_unmount(d);
	free(d->base);
}

static inline uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull;
}
