/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_pmfs.c - damaged media: a good image of 4 MiB is patched as the input says, checksums made
 * right where it asks for that, then mounted, checked, and used. It may be refused; it may not
 * crash, hang or be read out of bounds. Input: records of 5 bytes: place (3, of the first 256
 * blocks), value, and flags (bit 0: mend the checksums of the inode or node there; bit 1: an unclean end).
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "fs/pmfs/crc32c.h"
#include "fs/pmfs/inode.h"
#include "fs/pmfs/pmfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_BYTES (4ull << 20)
#define PATCHED_BYTES (256u * PMFS_BLOCK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t *good;
static uint8_t *device;

static void must(err_t err)
{
	if (err != OK)
		abort();
}

static struct pmfs *mount_or_null(void)
{
	const struct pmfs_options options = { .cpus = 1, .seed = 7, .keep_blank = good != NULL };
	char reason[PMFS_REASON_BYTES];
	struct pmfs *fs;

	return pmfs_mount(device, DEVICE_BYTES, &options, &fs, reason) == OK ? fs : NULL;
}

static void image_make(void)
{
	struct inode *inode;
	struct pmfs *fs;
	uint64_t done, end;
	char name[64];

	device = aligned_alloc(4096, DEVICE_BYTES);
	if (device == NULL)
		abort();
	memset(device, 0, DEVICE_BYTES);
	fs = mount_or_null();
	if (fs == NULL)
		abort();
	must(pmfs_mkdir(fs, "d", 0755));
	must(pmfs_symlink(fs, "d/f", "s"));
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "d/file-%d", i);
		must(pmfs_open(fs, name, FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &inode));
		if (i % 50 == 0)
			for (uint64_t at = 0; at < 12; at++)
				must(pmfs_write(fs, inode, at * 8192, false, name, 10, &done, &end));
		pmfs_close(fs, inode);
	}
	must(pmfs_unmount(fs));
	good = malloc(DEVICE_BYTES);
	if (good == NULL)
		abort();
	memcpy(good, device, DEVICE_BYTES);
}

static void checksums_mend(uint32_t at)
{
	const uint64_t first_data = ((const struct pmfs_super *)(const void *)good)->first_data_block;
	const uint32_t block = at / PMFS_BLOCK;
	uint32_t *word = (uint32_t *)(void *)(device + (size_t)block * PMFS_BLOCK);

	if (word[0] == PMFS_NODE_MAGIC) {
		word[1] = crc32c(0, word + 2, PMFS_BLOCK - 8);
	} else if (word[0] == PMFS_LEAF_MAGIC) {
		word[1] = crc32c(crc32c(0, word + 2, 16), word + 8, 32);
	} else if (block >= first_data || block == PMFS_ANCHOR_BLOCK) {
		struct pmfs_inode *inode = (struct pmfs_inode *)(void *)(device + at / 128 * 128);
		const uint64_t number = block == PMFS_ANCHOR_BLOCK ? PMFS_INODE_TABLE : (at / 256) - first_data * 16;
		inode->crc = inode_crc(number, inode);
	}
}

static void quiet(void *context, const char *line)
{
	(void)context;
	(void)line;
}

static void use(struct pmfs *fs)
{
	static const char *const names[] = { "d/file-0", "d/file-50", "d/file-149", "s", "d/new", "d" };
	static char buffer[100000];
	struct inode *inode;
	uint64_t done, end, next;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (pmfs_open(fs, names[i], FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &inode) != OK &&
				pmfs_open(fs, names[i], FS_OPEN_READ, 0, &inode) != OK)
			continue;
		if (pmfs_read(fs, inode, 0, buffer, sizeof(buffer), &done) == OK &&
				pmfs_write(fs, inode, 8192, false, buffer, 9000, &done, &end) == OK)
			done = 0;
		if (pmfs_readdir(fs, inode, 0, buffer, sizeof(buffer), &done, &next) == OK)
			done = 0;
		pmfs_close(fs, inode);
		if (pmfs_unlink(fs, names[i]) == OK)
			done = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (good == NULL)
		image_make();
	memcpy(device, good, DEVICE_BYTES);
	for (size_t i = 0; i + 5 <= bytes; i += 5) {
		const uint32_t at = (data[i] | (uint32_t)data[i + 1] << 8 | (uint32_t)data[i + 2] << 16) % PATCHED_BYTES;
		device[at] ^= data[i + 3];
		if (data[i + 4] & 1)
			checksums_mend(at);
		if (data[i + 4] & 2)
			memset(device + PMFS_STATE_BLOCK * PMFS_BLOCK, 0, 8);
	}
	struct pmfs *fs = mount_or_null();
	if (fs == NULL)
		return 0;
	if (pmfs_check(fs, quiet, NULL) != ERR_NO_MEMORY)
		use(fs);
	pmfs_abandon(fs);
	return 0;
}
