/* SPDX-License-Identifier: BSD-2-Clause */
/* lease.c - getting and dropping leases; see lease.h. */
#include "posix/lease.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <lintel/fs_client.h>
#include <lintel/info.h>
#include <lintel/process.h>

#include "core/sys.h"
#include "posix/file.h"

#define LEASE_BYTES_MAX (1ull << 46)

#define AT(structure, member, offset) _Static_assert(offsetof(struct structure, member) == (offset), "lease_code.S")
AT(lease, base, 0);
AT(lease, page, 8);
AT(lease, room, 16);
AT(file, mount, 32);
AT(file, lease, 56);
AT(file, write_lease, 64);
AT(fd_slot, file, 8);
_Static_assert(sizeof(struct fd_slot) == 64 && FD_MAX == 1024, "lease_code.S");
AT(fs_lease_page, epoch, 0);
AT(fs_lease_page, sequence, 4);
AT(fs_lease_page, write_until, 8);
AT(fs_lease_page, size, 56);
AT(fs_lease_page, flags, 128);
AT(stat, st_ino, 8);
/* fstat copies from `inode` to the flags at once. */
#define SAME(theirs, ours) \
	_Static_assert(offsetof(struct stat, theirs) - 8 == offsetof(struct fs_lease_page, ours) - 16, "lease_code.S")
SAME(st_ino, inode);
SAME(st_mode, mode);
SAME(st_nlink, links);
SAME(st_uid, uid);
SAME(st_gid, gid);
SAME(st_rdev, device);
SAME(st_size, size);
SAME(st_blksize, block_size);
SAME(st_blocks, blocks);
SAME(st_atim, atime_s);
SAME(st_mtim, mtime_s);
SAME(st_ctim, ctime_s);

extern const char lease_code_start[], lease_code_end[], lease_code_fault[];
uint8_t lease_wide;  /* the CPU has AVX */
uint8_t lease_flush; /* 2 clwb, 1 clflushopt, 0 clflush */

/* Once: what the CPU can do, and where faults of lease_code.S go. */
static bool code_ready(void)
{
	static struct lock lock;
	static bool ready; /* [a] changed under lock */
	const struct sysinfo_page *system = lintel_sysinfo();
	bool is_ready = __atomic_load_n(&ready, __ATOMIC_ACQUIRE);

	if (is_ready || system == NULL)
		return is_ready;
	lock_acquire(&lock);
	if (!ready) {
		lease_wide = (system->features & CPU_AVX) != 0;
		lease_flush = system->features & CPU_CLWB ? 2 : system->features & CPU_CLFLUSHOPT ? 1 : 0;
		err_t error = lintel_process_fixup(lintel_process(), (uint64_t)lease_code_start,
										   (uint64_t)(lease_code_end - lease_code_start), (uint64_t)lease_code_fault);
		__atomic_store_n(&ready, error == OK, __ATOMIC_RELEASE);
	}
	is_ready = ready;
	lock_release(&lock);
	return is_ready;
}

int64_t lease_write_back_page(const void *from, size_t bytes);

bool lease_write_back(const void *from, size_t bytes)
{
	uintptr_t at = (uintptr_t)from, end = at + bytes;

	if (!code_ready())
		return false;
	while (at < end) {
		uintptr_t page_end = (at | PAGE_MASK) + 1, to = page_end < end ? page_end : end;
		(void)lease_write_back_page((const void *)at, to - at);
		at = to;
	}
	__asm__ volatile("sfence" : : : "memory");
	return true;
}

static err_t lease_map(handle_t vmo, uint64_t bytes, bool writable, struct lease *out)
{
	uint64_t address;

	if (bytes <= PAGE_SIZE || bytes > LEASE_BYTES_MAX || (bytes & PAGE_MASK))
		return ERR_IO;
	err_t error = lintel_space_map(lintel_process(), vmo, 0, bytes, 0, SPACE_READ | (writable ? SPACE_WRITE : 0u),
								   &address);
	if (error != OK)
		return error;
	*out = (struct lease){ .base = (char *)address, .room = bytes - PAGE_SIZE, .writable = writable };
	out->page = (const struct fs_lease_page *)(const void *)(out->base + out->room);
	return OK;
}

static err_t lease_take(struct file *file, struct lease **out)
{
	const bool writable = file_writable(file);
	struct lease *lease = malloc(sizeof(*lease));
	uint64_t bytes;
	handle_t vmo;

	if (lease == NULL)
		return ERR_NO_MEMORY;
	err_t error = fs_lease(file->session, file->number, RIGHT_READ | (writable ? RIGHT_WRITE : 0u), &vmo, &bytes);
	if (error == OK) {
		error = lease_map(vmo, bytes, writable, lease);
		lintel_handle_close(vmo);
	}
	if (error != OK) {
		free(lease);
		return error;
	}
	*out = lease;
	return OK;
}

/* [lease_lock] */
static void lease_use(struct file *file, struct lease *lease)
{
	bool append = (__atomic_load_n(&file->flags, __ATOMIC_RELAXED) & O_APPEND) != 0;

	__atomic_store_n(&file->lease, lease, __ATOMIC_RELEASE);
	__atomic_store_n(&file->write_lease, lease != NULL && lease->writable && !append ? lease : NULL, __ATOMIC_RELEASE);
}

/* [lease_lock] One whose page is gone has been ended for good, and its server will not give another. */
static bool lease_is_over(const struct file *file)
{
	return file->lease != NULL && lease_size(file->lease) == LEASE_FAULT;
}

/* [lease_lock] */
static void lease_renew(struct file *file)
{
	struct lease *lease;

	if (lease_take(file, &lease) != OK) {
		__atomic_store_n(&file->lease_refused, true, __ATOMIC_RELAXED);
		return;
	}
	lease->older = file->leases;
	file->leases = lease;
	lease_use(file, lease);
}

void lease_reconsider(struct file *file)
{
	struct lease *lease = __atomic_load_n(&file->lease, __ATOMIC_RELAXED);

	if (lease != NULL && (uint64_t)lease_size(lease) <= lease->room)
		return;
	if (!file_readable(file) || !code_ready() || !lock_try(&file->lease_lock))
		return;
	if (lease_is_over(file)) {
		lease_use(file, NULL);
		__atomic_store_n(&file->lease_refused, true, __ATOMIC_RELAXED);
	} else if (file->lease == NULL || lease_size(file->lease) > (int64_t)file->lease->room) {
		lease_renew(file);
	}
	lock_release(&file->lease_lock);
}

void lease_flags_changed(struct file *file)
{
	lock_acquire(&file->lease_lock);
	lease_use(file, file->lease);
	lock_release(&file->lease_lock);
}

void leases_unmap(struct lease *newest)
{
	while (newest != NULL) {
		struct lease *lease = newest;
		newest = lease->older;
		drop(lintel_space_unmap(lintel_process(), (uint64_t)lease->base, lease->room + PAGE_SIZE));
		free(lease);
	}
}
