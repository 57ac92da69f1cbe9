/* SPDX-License-Identifier: BSD-2-Clause */
/* pmfs_share_host.h - what the tests of shared blocks have in common: a device with two files, and how often its blocks
 * are claimed. */
#pragma once

#include "pmfs_host.h"

#include "fs/pmfs/inode.h"

#define MIB (1ull << 20)
#define B 4096ull
#define RW (FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_CREATE)

static struct device d;
static struct inode *a, *b;

static struct inode *open_file(const char *name)
{
	struct inode *inode;

	assert_int_equal(pmfs_open(d.fs, name, RW, 0644, &inode), OK);
	return inode;
}

static void put(struct inode *inode, uint64_t offset, uint64_t bytes, uint8_t seed)
{
	uint8_t *data = malloc(bytes);
	uint64_t done, after;

	assert_non_null(data);
	for (uint64_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)((offset + i) / 3 * 7 + seed) | 1;
	assert_int_equal(pmfs_write(d.fs, inode, offset, false, data, bytes, &done, &after), OK);
	assert_int_equal(done, bytes);
	free(data);
}

/* How many blocks have more than one claim, and claims in all. */
static uint64_t shared_blocks(uint64_t *claims)
{
	struct pmfs_summary_share run;
	uint64_t blocks = 0, at = 0;

	for (*claims = 0; space_next_share(&d.fs->space, at, &run); at = run.block + run.blocks) {
		blocks += run.blocks;
		*claims += (uint64_t)run.blocks * run.claims;
	}
	return blocks;
}

static void expect_shared(uint64_t blocks, uint64_t claims)
{
	uint64_t have;

	assert_int_equal(shared_blocks(&have), blocks);
	assert_int_equal(have, claims);
}

static void begin(uint64_t bytes)
{
	device_make(&d, bytes);
	device_mount(&d);
	a = open_file("a");
	b = open_file("b");
}
