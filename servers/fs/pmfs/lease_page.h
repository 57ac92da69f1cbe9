/* SPDX-License-Identifier: BSD-2-Clause */
/* lease_page.h - writing struct fs_lease_page, which clients read at any time (lease.h, L1, L3 and L4). One writer at a
 * time: the caller has the inode's write lock. Pure.
 *
 * Times: a write moves mtime and ctime, by grains of LEASE_TIME_GRAIN_NS (as on Linux, whose file times move every 4 ms
 * with HZ=250). While the file's mtime is younger than a grain, clients may write without a word; write_until says how
 * long. The first write after it goes to the server. */
#pragma once

#include <lintel/fs_proto.h>

#define LEASE_TIME_GRAIN_NS 4000000u

/* From the wall clock's nanoseconds to the TSC. [I] */
struct lease_clock {
	uint64_t tsc_base;     /* at boot_unix_ns */
	uint64_t boot_unix_ns;
	uint64_t tsc_per_ns;   /* << 40 */
	uint64_t grain;        /* in ticks */
};

/* The system page's values. */
void lease_clock_make(uint64_t tsc_base, uint64_t tsc_mult, uint32_t tsc_shift, uint64_t boot_unix_ns,
		struct lease_clock *out);
/* The TSC at which `time_ns` is a grain old; 0 if it is already, or lies in the future or before the boot. */
uint64_t lease_grain_end(const struct lease_clock *clock, uint64_t time_ns, uint64_t tsc_now);

void lease_page_clear(struct fs_lease_page *page);
/* Blocks are about to be taken back. */
void lease_page_close(struct fs_lease_page *page);
/* The attributes, and the end of what lease_page_close began, unless `flags` (enum fs_lease_flag) has FS_LEASE_SHUT. */
void lease_page_publish(struct fs_lease_page *page, const struct fs_stat *st, uint32_t flags, uint64_t write_until);
