/* SPDX-License-Identifier: BSD-2-Clause */
/* lease_code.c - libc's lease_read and lease_write by themselves, on a lease page that the test plays the server of:
 * every way of copying, every reason to ask, pages that are gone, and a server that takes blocks back all the time. */
#include "check.h"

#include <lintel/fs_proto.h>
#include <lintel/info.h>
#include <lintel/process.h>
#include <lintel/startup.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM (16 * 4096)
#define ASK (-1)
#define FAULT (-2)

struct lease { /* as libc/posix/lease.h has it */
	char *base;
	struct fs_lease_page *page;
	uint64_t room;
};

ssize_t lease_read(const struct lease *lease, void *buffer, size_t bytes, uint64_t offset);
ssize_t lease_write(const struct lease *lease, const void *buffer, size_t bytes, uint64_t offset);
int64_t lease_size(const struct lease *lease);
int64_t lease_flags(const struct lease *lease);
extern uint8_t lease_wide, lease_flush;
extern const char lease_code_start[], lease_code_end[], lease_code_fault[];

static char contents[ROOM] __attribute__((aligned(4096)));
static char buffer[ROOM], model[ROOM];
static struct fs_lease_page page;
static struct lease lease = { contents, &page, ROOM };

static void page_reset(void)
{
	memset(&page, 0, sizeof(page));
	page.epoch = 4;
	page.size = ROOM;
	page.write_until = UINT64_MAX;
}

static void fill(char *p, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
}

static bool copies_right(size_t bytes, size_t offset, size_t into)
{
	memset(buffer, 0x33, 6000);
	if (lease_read(&lease, buffer + into, bytes, offset) != (ssize_t)bytes ||
		memcmp(buffer + into, contents + offset, bytes) != 0 || buffer[into + bytes] != 0x33 ||
		(into > 0 && buffer[into - 1] != 0x33))
		return false;
	fill(buffer, 6000, (unsigned)(bytes + offset));
	memcpy(model, contents, sizeof(model));
	memcpy(model + offset, buffer + into, bytes);
	return lease_write(&lease, buffer + into, bytes, offset) == (ssize_t)bytes &&
		   memcmp(model, contents, sizeof(model)) == 0;
}

static void every_way_of_copying(void)
{
	const uint8_t wide = lease_wide, flush = lease_flush;

	page_reset();
	fill(contents, sizeof(contents), 7);
	for (uint8_t w = 0; w <= wide; w++) {
		for (uint8_t f = 0; f <= flush; f++) {
			lease_wide = w;
			lease_flush = f;
			for (size_t bytes = 0; bytes < 5000; bytes += 1 + bytes / 16)
				for (size_t offset = 0; offset < 36; offset += 5)
					if (!copies_right(bytes, offset, bytes % 9))
						check_fail("AVX %d, write back %d: %d bytes at %d", w, f, (int)bytes, (int)offset);
		}
	}
	lease_wide = wide;
	lease_flush = flush;
}

static void reasons_to_ask(void)
{
	page_reset();
	page.epoch = 5;
	CHECK_EQUAL(lease_read(&lease, buffer, 8, 0), ASK);
	CHECK_EQUAL(lease_write(&lease, buffer, 8, 0), ASK);
	CHECK_EQUAL(lease_size(&lease), ASK);
	page_reset();
	page.size = ROOM + 1;
	CHECK_EQUAL(lease_read(&lease, buffer, 8, 0), ASK);
	CHECK_EQUAL(lease_write(&lease, buffer, 8, 0), ASK);
	CHECK_EQUAL(lease_size(&lease), ROOM + 1);
	page.size = UINT64_MAX;
	CHECK_EQUAL(lease_read(&lease, buffer, 8, 0), ASK);
	page.size = 100;
	CHECK_EQUAL(lease_read(&lease, buffer, 80, 90), 10);
	CHECK_EQUAL(lease_read(&lease, buffer, 80, 100), 0);
	CHECK_EQUAL(lease_read(&lease, buffer, 80, UINT64_MAX), ASK);
	CHECK_EQUAL(lease_read(&lease, buffer, SIZE_MAX, 90), ASK);
	CHECK_EQUAL(lease_write(&lease, buffer, 11, 90), ASK);
	CHECK_EQUAL(lease_write(&lease, buffer, 16, (uint64_t)-8), ASK);
	CHECK_EQUAL(lease_write(&lease, buffer, SIZE_MAX, 90), ASK);
	CHECK_EQUAL(lease_write(&lease, buffer, 10, 90), 10);
	page.write_until = 1;
	CHECK_EQUAL(lease_write(&lease, buffer, 10, 0), ASK);
	page.flags = FS_LEASE_STORES;
	CHECK_EQUAL(lease_flags(&lease), FS_LEASE_STORES);
}

static void pages_that_are_gone(void)
{
	char *map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct lease broken = { map, &page, ROOM };

	CHECK(map != MAP_FAILED);
	CHECK_EQUAL(munmap(map + 4096, 4096), 0);
	page_reset();
	for (size_t bytes = 1; bytes < 1000; bytes = bytes * 3 + 1) {
		CHECK_EQUAL(lease_read(&broken, buffer, bytes, 4096 - bytes), bytes);
		CHECK_EQUAL(lease_read(&broken, buffer, bytes, 4097 - bytes), FAULT);
		CHECK_EQUAL(lease_write(&broken, buffer, bytes, 4097 - bytes), FAULT);
		CHECK_EQUAL(lease_read(&lease, map + 4096, bytes, 0), FAULT);
		CHECK_EQUAL(lease_write(&lease, map + 4097 - bytes, bytes, 0), FAULT);
	}
	broken.page = (struct fs_lease_page *)(void *)(map + 4096);
	CHECK_EQUAL(lease_read(&broken, buffer, 1, 0), FAULT);
	CHECK_EQUAL(lease_write(&broken, buffer, 1, 0), FAULT);
	CHECK_EQUAL(lease_size(&broken), FAULT);
	CHECK_EQUAL(lease_flags(&broken), FAULT);
	CHECK_EQUAL(lease_read(&lease, (char *)0x8000000000000000, 1, 0), FAULT); /* not a page fault */
	CHECK_EQUAL(munmap(map, 3 * 4096), 0);
}

/* ---- A server that changes everything, in odd epochs ---- */

static bool stop; /* [a] */

static void *keep_changing(void *context)
{
	(void)context;
	for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		__atomic_store_n(&page.epoch, page.epoch + 1, __ATOMIC_SEQ_CST);
		memset(contents, 'a' + (int)(i % 26), 2 * 4096);
		__atomic_store_n(&page.epoch, page.epoch + 1, __ATOMIC_SEQ_CST);
		if (i % 4 == 0)
			usleep(100);
	}
	return NULL;
}

static void a_copy_is_of_one_epoch(void)
{
	int good = 0;
	pthread_t thread;

	page_reset();
	stop = false;
	memset(contents, 'a', 2 * 4096);
	CHECK_EQUAL(pthread_create(&thread, NULL, keep_changing, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		ssize_t done = lease_read(&lease, buffer, 2 * 4096, 0);
		if (done == ASK)
			continue;
		good++;
		if (done != 2 * 4096)
			check_fail("%d", (int)done);
		for (int at = 0; at < 2 * 4096; at += 64)
			if (buffer[at] != buffer[0])
				check_fail("two epochs in one read");
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK(good > 0);
}

int main(void)
{
	if (lintel_process_fixup(lintel_process(), (uint64_t)lease_code_start,
							 (uint64_t)(lease_code_end - lease_code_start), (uint64_t)lease_code_fault) != OK)
		check_fail("process_fixup");
	lease_wide = (lintel_sysinfo()->features & CPU_AVX) != 0;
	lease_flush = lintel_sysinfo()->features & CPU_CLWB ? 2 : lintel_sysinfo()->features & CPU_CLFLUSHOPT ? 1 : 0;
	CHECK_RUN(every_way_of_copying);
	CHECK_RUN(reasons_to_ask);
	CHECK_RUN(pages_that_are_gone);
	CHECK_RUN(a_copy_is_of_one_epoch);
	return check.failed;
}
