/* SPDX-License-Identifier: BSD-2-Clause */
/* lease_page.c - see lease_page.h. */
#include "lease_page.h"

#include <string.h>

#define NS_PER_SECOND 1000000000ull
#define SECTOR_BYTES 512u

_Static_assert(sizeof(struct fs_lease_page) <= PAGE_SIZE, "one page");

#define FRACTION_BITS 40

void lease_clock_make(uint64_t tsc_base, uint64_t tsc_mult, uint32_t tsc_shift, uint64_t boot_unix_ns,
		struct lease_clock *out)
{
	out->tsc_base = tsc_base;
	out->boot_unix_ns = boot_unix_ns;
	out->tsc_per_ns = (uint64_t)(((unsigned __int128)1 << (tsc_shift + FRACTION_BITS)) / tsc_mult);
	out->grain = (uint64_t)((unsigned __int128)LEASE_TIME_GRAIN_NS * out->tsc_per_ns >> FRACTION_BITS);
}

uint64_t lease_grain_end(const struct lease_clock *clock, uint64_t time_ns, uint64_t tsc_now)
{
	const unsigned __int128 age = time_ns - clock->boot_unix_ns;

	if (time_ns < clock->boot_unix_ns)
		return 0;
	const uint64_t end = clock->tsc_base + clock->grain + (uint64_t)(age * clock->tsc_per_ns >> FRACTION_BITS);
	return end > tsc_now && end - tsc_now <= clock->grain ? end : 0;
}

/* In the order of the program: all that an x86 needs is a compiler that keeps to it. */
static void word_put(uint32_t *word, uint32_t value)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void lease_page_clear(struct fs_lease_page *page)
{
	memset(page, 0, sizeof(*page));
}

void lease_page_close(struct fs_lease_page *page)
{
	word_put(&page->epoch, page->epoch | 1);
}

static uint32_t type_bits(uint32_t type)
{
	switch ((enum fs_type)type) {
	case FS_TYPE_FILE: return 0100000;
	case FS_TYPE_DIRECTORY: return 0040000;
	case FS_TYPE_SYMLINK: return 0120000;
	case FS_TYPE_DEVICE: return 0020000;
	}
	return 0;
}

/* Most changes leave most times alone, and a multiplication costs less than two divisions. */
static void time_put(uint64_t ns, uint64_t *seconds, uint64_t *rest)
{
	if (*seconds * NS_PER_SECOND + *rest == ns)
		return;
	*seconds = ns / NS_PER_SECOND;
	*rest = ns % NS_PER_SECOND;
}

void lease_page_publish(struct fs_lease_page *page, const struct fs_stat *st, uint32_t flags, uint64_t write_until)
{
	word_put(&page->sequence, page->sequence + 1);
	page->inode = st->inode;
	page->mode = type_bits(st->type) | st->mode;
	page->links = st->links < UINT16_MAX ? st->links : UINT16_MAX;
	page->uid = st->uid;
	page->gid = st->gid;
	__atomic_store_n(&page->size, st->size, __ATOMIC_RELAXED);
	page->block_size = st->block_size;
	page->blocks = (st->blocks + SECTOR_BYTES - 1) / SECTOR_BYTES;
	time_put(st->atime, &page->atime_s, &page->atime_ns);
	time_put(st->mtime, &page->mtime_s, &page->mtime_ns);
	time_put(st->ctime, &page->ctime_s, &page->ctime_ns);
	__atomic_store_n(&page->write_until, write_until, __ATOMIC_RELAXED);
	__atomic_store_n(&page->flags, flags, __ATOMIC_RELAXED);
	word_put(&page->sequence, page->sequence + 1);
	if (unlikely(flags & FS_LEASE_SHUT))
		lease_page_close(page);
	else if (page->epoch & 1)
		word_put(&page->epoch, page->epoch + 1);
}
