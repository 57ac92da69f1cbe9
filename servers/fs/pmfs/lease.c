/* SPDX-License-Identifier: BSD-2-Clause */
/* lease.c - see lease.h. Keys of pager VMOs are indexes into a table, checked like any other input.
 * Locks, in order: an inode (pmfs), lease->lock. table.lock comes alone, or before taking an
 * inode's reference. */
#include "lease.h"
#include "kit/kit.h"

#include <lintel/syscalls.h>
#include <pthread.h>
#include <stdlib.h>

#define LEASES_MAX 4096u
#define LEASE_VMOS_MAX 32u
#define VMO_BYTES_MIN (2ull << 20)
#define SUPPLY_BYTES_MAX (32ull << 20) /* at one fault */

struct lease {
	struct inode *inode;  /* a reference */
	uint32_t key;
	pthread_mutex_t lock;
	uint32_t count;                    /* [lock] */
	handle_t vmo[LEASE_VMOS_MAX];      /* [lock] */
	uint64_t bytes[LEASE_VMOS_MAX];    /* [lock] growing */
};

static struct {
	struct pmfs *fs;      /* [I] after lease_init */
	handle_t zone;        /* [I] */
	handle_t pager;       /* [I] our own door, with LEASE_BADGE */
	handle_t zero;        /* [I] a page of zeroes, for holes that are read */
	pthread_mutex_t lock;
	struct lease *lease[LEASES_MAX]; /* [lock] by key - 1 */
	pthread_mutex_t map_lock;        /* one first mapping at a time */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER, .map_lock = PTHREAD_MUTEX_INITIALIZER };

err_t lease_init(struct pmfs *fs, handle_t zone)
{
	const uint8_t byte = 0;

	table.fs = fs;
	table.zone = zone;
	err_t err = kit_mint(LEASE_BADGE, &table.pager);
	if (err == OK)
		err = lintel_vmo_create(PAGE_SIZE, 0, &table.zero);
	return err == OK ? lintel_vmo_write(table.zero, 0, &byte, 1) : err; /* commits the page */
}

static err_t lease_new(struct inode *inode, struct lease **out)
{
	struct lease *lease = calloc(1, sizeof(*lease));

	if (lease == NULL)
		return ERR_NO_MEMORY;
	lease->inode = inode;
	pthread_mutex_init(&lease->lock, NULL);
	pthread_mutex_lock(&table.lock);
	for (uint32_t i = 0; i < LEASES_MAX && lease->key == 0; i++) {
		if (table.lease[i] == NULL) {
			table.lease[i] = lease;
			lease->key = i + 1;
		}
	}
	pthread_mutex_unlock(&table.lock);
	if (lease->key == 0) {
		free(lease);
		return ERR_TOO_MANY;
	}
	pmfs_hold(table.fs, inode);
	pmfs_lease_set(inode, lease);
	*out = lease;
	return OK;
}

/* Nobody can find it any more. Its VMOs die with the clients' last handles; a fault on them finds
 * no lease. */
static void lease_destroy(struct lease *lease)
{
	pmfs_lease_set(lease->inode, NULL);
	lease_revoke(lease, 0, UINT64_MAX);
	for (uint32_t i = 0; i < lease->count; i++)
		if (lintel_handle_close(lease->vmo[i]) != OK)
			kit_log("a lease's VMO was gone");
	if (pmfs_lease_end(lease->inode) != OK)
		kit_log("the end of a file that was mapped could not be cleared");
	pmfs_close(table.fs, lease->inode);
	free(lease);
}

/* The newest VMO if it covers `size`, or a new one of at least twice the last. [lease->lock] */
static err_t vmo_for(struct lease *lease, uint64_t size, handle_t *vmo)
{
	uint64_t bytes = lease->count != 0 ? lease->bytes[lease->count - 1] : 0;

	if (lease->count == 0 || bytes < size) {
		bytes = bytes < VMO_BYTES_MIN ? VMO_BYTES_MIN : bytes * 2;
		while (bytes < size)
			bytes *= 2;
		if (lease->count == LEASE_VMOS_MAX)
			return ERR_TOO_BIG;
		err_t err = lintel_vmo_create_pager(bytes, table.pager, lease->key, &lease->vmo[lease->count]);
		if (err != OK)
			return err;
		lease->bytes[lease->count++] = bytes;
	}
	*vmo = lease->vmo[lease->count - 1];
	return OK;
}

err_t lease_map(struct inode *inode, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	const uint32_t known = RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE;
	handle_t whole;
	err_t err = OK;

	pthread_mutex_lock(&table.map_lock);
	struct lease *lease = pmfs_lease_get(inode);
	if (lease == NULL)
		err = lease_new(inode, &lease);
	pthread_mutex_unlock(&table.map_lock);
	if (err != OK)
		return err;
	const uint64_t bytes = pmfs_size(inode);
	pthread_mutex_lock(&lease->lock);
	err = vmo_for(lease, bytes, &whole);
	if (err == OK)
		err = lintel_handle_duplicate(whole, (rights & known) | RIGHT_DUPLICATE | RIGHT_TRANSFER, vmo);
	pthread_mutex_unlock(&lease->lock);
	if (err == OK)
		*size = bytes;
	return err;
}

void lease_revoke(void *context, uint64_t offset, uint64_t bytes)
{
	struct lease *lease = context;

	pthread_mutex_lock(&lease->lock);
	for (uint32_t i = 0; i < lease->count; i++) {
		if (offset >= lease->bytes[i])
			continue;
		const uint64_t most = lease->bytes[i] - offset;
		const uint64_t n = bytes < most ? (bytes + PAGE_MASK) & ~PAGE_MASK : most;
		if (n != 0 && lintel_vmo_revoke(lease->vmo[i], offset, n) != OK)
			kit_log("revoking %llu bytes at %llu was refused", (unsigned long long)n, (unsigned long long)offset);
	}
	pthread_mutex_unlock(&lease->lock);
}

/* Out of the table, if it is still there. */
static bool lease_unlist(struct lease *lease)
{
	pthread_mutex_lock(&table.lock);
	const bool there = table.lease[lease->key - 1] == lease;
	if (there)
		table.lease[lease->key - 1] = NULL;
	pthread_mutex_unlock(&table.lock);
	return there;
}

void lease_maybe_drop(struct inode *inode)
{
	struct lease *lease = pmfs_lease_get(inode);

	if (lease != NULL && pmfs_count_open(inode, 0) == 0 && pmfs_is_unlinked(inode) && lease_unlist(lease))
		lease_destroy(lease);
}

void lease_drop_all(void)
{
	for (uint32_t i = 0; i < LEASES_MAX; i++) {
		pthread_mutex_lock(&table.lock);
		struct lease *lease = table.lease[i];
		table.lease[i] = NULL;
		pthread_mutex_unlock(&table.lock);
		if (lease != NULL)
			lease_destroy(lease);
	}
}

/* --- faults --- */

struct fault {
	struct lease *lease;
	uint64_t offset;
	uint32_t access;
};

/* As much of the run as lies around the fault and in the VMO; else just the page. */
static err_t supply_run(const struct fault *fault, handle_t vmo, uint64_t vmo_bytes, const struct pmfs_run *run)
{
	uint64_t from = run->offset, end = run->offset + run->bytes;

	if (fault->offset - from > SUPPLY_BYTES_MAX / 2)
		from = (fault->offset - SUPPLY_BYTES_MAX / 2) & ~(LARGE_PAGE_SIZE - 1);
	if (from < run->offset)
		from = run->offset;
	if (end - from > SUPPLY_BYTES_MAX)
		end = from + SUPPLY_BYTES_MAX;
	if (end > vmo_bytes)
		end = vmo_bytes;
	err_t err = lintel_vmo_supply(vmo, from, table.zone, run->device + (from - run->offset), end - from,
			RIGHT_READ | RIGHT_WRITE);
	if (err != ERR_EXISTS)
		return err;
	err = lintel_vmo_supply(vmo, fault->offset, table.zone, run->device + (fault->offset - run->offset), PAGE_SIZE,
			RIGHT_READ | RIGHT_WRITE);
	return err == ERR_EXISTS ? OK : err;
}

/* The inode is locked: the run stays what it is. */
static err_t fault_use(void *context, const struct pmfs_run *run)
{
	const struct fault *fault = context;
	struct lease *lease = fault->lease;
	err_t err = OK;

	pthread_mutex_lock(&lease->lock);
	for (uint32_t i = 0; i < lease->count && err == OK; i++) {
		if (fault->offset >= lease->bytes[i])
			continue;
		if (run->device != 0) {
			err = supply_run(fault, lease->vmo[i], lease->bytes[i], run);
		} else {
			err = lintel_vmo_supply(lease->vmo[i], fault->offset, table.zero, 0, PAGE_SIZE, RIGHT_READ);
			if (err == ERR_EXISTS)
				err = OK;
		}
	}
	pthread_mutex_unlock(&lease->lock);
	return err;
}

err_t lease_fault(uint64_t key, uint64_t offset, uint32_t access)
{
	struct fault fault = { .offset = offset & ~PAGE_MASK, .access = access };

	if (key == 0 || key > LEASES_MAX)
		return ERR_DENIED;
	pthread_mutex_lock(&table.lock);
	fault.lease = table.lease[key - 1];
	struct inode *inode = fault.lease != NULL ? fault.lease->inode : NULL;
	if (inode != NULL)
		pmfs_hold(table.fs, inode);
	pthread_mutex_unlock(&table.lock);
	if (inode == NULL)
		return ERR_DENIED;
	err_t err = pmfs_lease_get(inode) != fault.lease ? ERR_DENIED
			: pmfs_locate_with(table.fs, inode, fault.offset, access == RIGHT_WRITE, fault_use, &fault);
	pmfs_close(table.fs, inode);
	return err == ERR_ARGS ? ERR_DENIED : err;
}
