/* SPDX-License-Identifier: BSD-2-Clause */
/* lease.c - see lease.h. The key of a pager VMO is slot | VMO << 12 | generation << 20, checked like any other input.
 * Locks, in order: turn (of the inode's number), an inode (pmfs), lease->lock. table.lock comes alone, or before taking
 * an inode's reference. [t] turn: making and ending leases. */
#include "fs/pmfs/server/lease.h"
#include "fs/pmfs/lease_page.h"
#include "kit/kit.h"

#include <lintel/process.h>
#include <lintel/startup.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LEASES_MAX 4096u
#define LEASE_VMOS_MAX 32u
#define KEY_VMO_SHIFT 12
#define KEY_GENERATION_SHIFT 20
#define TURNS 64u
#define VMO_BYTES_MIN (2ull << 20)
#define SUPPLY_BYTES_MAX (32ull << 20) /* at one fault */

_Static_assert(LEASES_MAX <= 1u << KEY_VMO_SHIFT && LEASE_VMOS_MAX <= 1u << (KEY_GENERATION_SHIFT - KEY_VMO_SHIFT),
		"a key holds the slot and the VMO");

struct lease {
	struct inode *inode;               /* [I] a reference */
	uint32_t slot;                     /* [I] in the table; its page is that one of table.pages */
	uint64_t generation;               /* [I] never used again */
	struct fs_lease_page *page;        /* [I] its words change under the inode's write lock */
	_Atomic bool stores;               /* [a] handed out for mappings that can be written */
	pthread_mutex_t lock;
	uint32_t count;                    /* [lock] */
	handle_t vmo[LEASE_VMOS_MAX];      /* [lock] */
	uint64_t bytes[LEASE_VMOS_MAX];    /* [lock] growing; the last page is the lease page */
	uint64_t supplied_end;             /* [lock], and the inode's: nothing at or past it is in any client's hands */
};

static struct {
	struct pmfs *fs;      /* [I] after lease_init */
	handle_t zone;        /* [I] */
	handle_t pager;       /* [I] our own door, with LEASE_BADGE */
	handle_t zero;        /* [I] a page of zeroes, for holes that are read */
	handle_t pages;       /* [I] the lease pages, one a slot */
	uint8_t *page_base;   /* [I] and where we have them */
	struct lease_clock clock; /* [I] */
	pthread_mutex_t lock;
	uint64_t generation;             /* [lock] */
	uint32_t next;                   /* [lock] where to look for a free slot */
	struct lease *lease[LEASES_MAX]; /* [lock] */
	pthread_mutex_t turn[TURNS];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Atomic bool nameless; /* a lease that is kept for its stores may be of a file that has lost its last name */

err_t lease_init(struct pmfs *fs, handle_t zone)
{
	const uint8_t byte = 0;
	const struct sysinfo_page *system = lintel_sysinfo();
	uint64_t bytes;
	void *base;

	if (system == NULL)
		return ERR_NOT_FOUND;
	lease_clock_make(system->tsc_base, system->tsc_mult, system->tsc_shift, system->boot_unix_ns, &table.clock);
	table.fs = fs;
	table.zone = zone;
	for (uint32_t i = 0; i < TURNS; i++)
		pthread_mutex_init(&table.turn[i], NULL);
	err_t err = kit_mint(LEASE_BADGE, &table.pager);
	if (err == OK)
		err = lintel_vmo_create((uint64_t)LEASES_MAX * PAGE_SIZE, 0, &table.pages);
	if (err == OK)
		err = kit_map_vmo(table.pages, SPACE_READ | SPACE_WRITE, &base, &bytes);
	if (err == OK)
		err = lintel_vmo_create(PAGE_SIZE, 0, &table.zero);
	if (err != OK)
		return err;
	table.page_base = base;
	return lintel_vmo_write(table.zero, 0, &byte, 1); /* commits the page */
}

static pthread_mutex_t *turn_of(const struct inode *inode)
{
	return &table.turn[pmfs_number(inode) % TURNS];
}

/* --- making and ending [turn] --- */

static bool slot_take(struct lease *lease)
{
	bool found = false;

	pthread_mutex_lock(&table.lock);
	for (uint32_t i = 0; i < LEASES_MAX && !found; i++) {
		const uint32_t slot = (table.next + i) % LEASES_MAX;
		if (table.lease[slot] != NULL)
			continue;
		table.lease[slot] = lease;
		table.next = slot + 1;
		lease->slot = slot;
		lease->generation = ++table.generation;
		found = true;
	}
	pthread_mutex_unlock(&table.lock);
	return found;
}

static err_t lease_new(struct inode *inode, struct lease **out)
{
	struct lease *lease = calloc(1, sizeof(*lease));

	if (lease == NULL)
		return ERR_NO_MEMORY;
	lease->inode = inode;
	pthread_mutex_init(&lease->lock, NULL);
	if (!slot_take(lease)) {
		free(lease);
		return ERR_TOO_MANY;
	}
	lease->page = (struct fs_lease_page *)(void *)(table.page_base + (size_t)lease->slot * PAGE_SIZE);
	lease_page_clear(lease->page);
	pmfs_hold(table.fs, inode);
	pmfs_lease_set(inode, lease);
	*out = lease;
	return OK;
}

static err_t lease_get(struct inode *inode, struct lease **out)
{
	*out = pmfs_lease_get(inode);
	return *out != NULL ? OK : lease_new(inode, out);
}

static void vmos_close(struct lease *lease)
{
	for (uint32_t i = 0; i < lease->count; i++) {
		err_t err = lintel_vmo_revoke(lease->vmo[i], 0, lease->bytes[i]);
		if (err == OK)
			err = lintel_handle_close(lease->vmo[i]);
		if (err != OK)
			kit_log("a lease's VMO was gone");
	}
}

/* Faults find no lease in the inode from here on (L2), and the VMOs die with the clients' last handles. */
static void lease_destroy(struct lease *lease)
{
	pmfs_lease_set(lease->inode, NULL);
	vmos_close(lease);
	pthread_mutex_lock(&table.lock);
	table.lease[lease->slot] = NULL;
	pthread_mutex_unlock(&table.lock);
	if (pmfs_lease_end(lease->inode) != OK)
		kit_log("what clients stored into a file could not be put in order");
	pmfs_close(table.fs, lease->inode);
	free(lease);
}

/* Its file is in use by the caller. */
void lease_maybe_drop(struct inode *inode)
{
	pthread_mutex_lock(turn_of(inode));
	struct lease *lease = pmfs_lease_get(inode);
	if (lease != NULL && pmfs_opens(inode) == 0 &&
			(!atomic_load(&lease->stores) || pmfs_is_unlinked(inode)))
		lease_destroy(lease);
	pthread_mutex_unlock(turn_of(inode));
}

/* The inode of the lease in that slot, with a reference; NULL if there is none. generation 0: whichever. */
static struct inode *slot_inode(uint32_t slot, uint64_t generation, struct lease **lease)
{
	struct inode *inode = NULL;

	pthread_mutex_lock(&table.lock);
	*lease = table.lease[slot];
	if (*lease != NULL && (generation == 0 || (*lease)->generation == generation)) {
		inode = (*lease)->inode;
		pmfs_hold(table.fs, inode);
	}
	pthread_mutex_unlock(&table.lock);
	return inode;
}

void lease_sweep(void)
{
	struct lease *lease;

	if (!atomic_load(&nameless) || !atomic_exchange(&nameless, false))
		return;
	for (uint32_t slot = 0; slot < LEASES_MAX; slot++) {
		struct inode *inode = slot_inode(slot, 0, &lease);
		if (inode == NULL)
			continue;
		lease_maybe_drop(inode);
		pmfs_close(table.fs, inode);
	}
}

void lease_drop_all(void)
{
	for (uint32_t slot = 0; slot < LEASES_MAX; slot++) {
		if (table.lease[slot] != NULL) /* nobody else is in the server */
			lease_destroy(table.lease[slot]);
	}
}

/* --- giving --- */

/* The newest VMO if it covers `size`, or a new one of at least twice the last. [lease->lock] */
static err_t vmo_for(struct lease *lease, uint64_t size, uint32_t *out)
{
	const uint32_t last = lease->count - 1;
	uint64_t bytes = lease->count != 0 ? lease->bytes[last] * 2 : VMO_BYTES_MIN;

	if (lease->count != 0 && lease->bytes[last] - PAGE_SIZE >= size) {
		*out = last;
		return OK;
	}
	while (bytes - PAGE_SIZE < size)
		bytes *= 2;
	if (lease->count == LEASE_VMOS_MAX)
		return ERR_TOO_BIG;
	const uint64_t key = lease->slot | (uint64_t)lease->count << KEY_VMO_SHIFT |
			lease->generation << KEY_GENERATION_SHIFT;
	handle_t vmo;
	err_t err = lintel_vmo_create_pager(bytes, table.pager, key, &vmo);
	if (err != OK)
		return err;
	err = lintel_vmo_supply(vmo, bytes - PAGE_SIZE, table.pages, (uint64_t)lease->slot * PAGE_SIZE, PAGE_SIZE,
			RIGHT_READ);
	if (err != OK) {
		(void)!lintel_handle_close(vmo);
		return err;
	}
	lease->vmo[lease->count] = vmo;
	lease->bytes[lease->count] = bytes;
	*out = lease->count++;
	return OK;
}

static err_t vmo_give(struct lease *lease, uint64_t size, uint32_t rights, handle_t *vmo, uint64_t *bytes)
{
	uint32_t i;

	pthread_mutex_lock(&lease->lock);
	err_t err = vmo_for(lease, size, &i);
	if (err == OK)
		err = lintel_handle_duplicate(lease->vmo[i], rights | RIGHT_DUPLICATE | RIGHT_TRANSFER, vmo);
	if (err == OK)
		*bytes = lease->bytes[i];
	pthread_mutex_unlock(&lease->lock);
	return err;
}

err_t lease_map(struct inode *inode, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	const uint64_t now = pmfs_size(inode);
	struct lease *lease;
	uint64_t bytes;

	pthread_mutex_lock(turn_of(inode));
	err_t err = lease_get(inode, &lease);
	if (err == OK && rights & RIGHT_WRITE) {
		err = pmfs_lease_stores(inode);
		atomic_store(&lease->stores, err == OK);
	}
	if (err == OK)
		err = vmo_give(lease, now, rights & (RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE), vmo, &bytes);
	pthread_mutex_unlock(turn_of(inode));
	if (err == OK)
		*size = now;
	return err;
}

err_t lease_grant(struct inode *inode, uint32_t rights, handle_t *vmo, uint64_t *bytes)
{
	struct lease *lease;

	pthread_mutex_lock(turn_of(inode));
	err_t err = lease_get(inode, &lease);
	if (err == OK)
		err = vmo_give(lease, pmfs_size(inode), rights & (RIGHT_READ | RIGHT_WRITE), vmo, bytes);
	pthread_mutex_unlock(turn_of(inode));
	return err;
}

/* --- taking back, telling --- */

void lease_revoke(void *context, uint64_t offset, uint64_t bytes)
{
	struct lease *lease = context;

	if (offset >= lease->supplied_end) /* the inode is locked: no fault is under way */
		return;
	lease_page_close(lease->page);
	pthread_mutex_lock(&lease->lock);
	for (uint32_t i = 0; i < lease->count; i++) {
		const uint64_t room = lease->bytes[i] - PAGE_SIZE; /* never the lease page */
		if (offset >= room)
			continue;
		const uint64_t n = bytes < room - offset ? (bytes + PAGE_MASK) & ~PAGE_MASK : room - offset;
		if (n != 0 && lintel_vmo_revoke(lease->vmo[i], offset, n) != OK)
			kit_log("revoking %llu bytes at %llu was refused", (unsigned long long)n, (unsigned long long)offset);
	}
	if (bytes >= lease->supplied_end - offset)
		lease->supplied_end = offset;
	pthread_mutex_unlock(&lease->lock);
}

void lease_publish(void *context, const struct fs_stat *st, uint32_t flags)
{
	const struct lease *lease = context;

	lease_page_publish(lease->page, st, flags, lease_grain_end(&table.clock, st->mtime, __builtin_ia32_rdtsc()));
	if (st->links == 0 && atomic_load(&lease->stores))
		atomic_store(&nameless, true);
}

/* --- faults --- */

struct fault {
	const struct lease *lease;
	uint64_t generation;
	uint32_t vmo; /* index */
	uint64_t offset;
};

/* As much of the run as lies around the fault and in the VMO; else just the page. [lease->lock] */
static err_t supply_run(struct lease *lease, const struct fault *fault, const struct pmfs_run *run)
{
	const handle_t vmo = lease->vmo[fault->vmo];
	const uint64_t room = lease->bytes[fault->vmo] - PAGE_SIZE;
	const uint32_t rights = run->read_only ? RIGHT_READ : RIGHT_READ | RIGHT_WRITE;
	uint64_t from = run->offset, end = run->offset + run->bytes;

	if (fault->offset - from > SUPPLY_BYTES_MAX / 2)
		from = (fault->offset - SUPPLY_BYTES_MAX / 2) & ~(LARGE_PAGE_SIZE - 1);
	if (from < run->offset)
		from = run->offset;
	if (end - from > SUPPLY_BYTES_MAX)
		end = from + SUPPLY_BYTES_MAX;
	if (end > room)
		end = room;
	if (lease->supplied_end < end)
		lease->supplied_end = end;
	err_t err = lintel_vmo_supply(vmo, from, table.zone, run->device + (from - run->offset), end - from, rights);
	if (err != ERR_EXISTS)
		return err;
	return lintel_vmo_supply(vmo, fault->offset, table.zone, run->device + (fault->offset - run->offset), PAGE_SIZE,
			rights);
}

/* The inode is locked: the run stays what it is, and the lease too if it is still the inode's. */
static err_t fault_use(void *context, void *current, const struct pmfs_run *run)
{
	const struct fault *fault = context;
	struct lease *lease = current;
	err_t err;

	if (lease == NULL || lease != fault->lease || lease->generation != fault->generation)
		return ERR_DENIED;
	pthread_mutex_lock(&lease->lock);
	if (fault->vmo >= lease->count || fault->offset >= lease->bytes[fault->vmo] - PAGE_SIZE) {
		err = ERR_DENIED;
	} else if (run->device != 0) {
		err = supply_run(lease, fault, run);
	} else {
		if (lease->supplied_end < fault->offset + PAGE_SIZE)
			lease->supplied_end = fault->offset + PAGE_SIZE;
		err = lintel_vmo_supply(lease->vmo[fault->vmo], fault->offset, table.zero, 0, PAGE_SIZE, RIGHT_READ);
	}
	pthread_mutex_unlock(&lease->lock);
	return err == ERR_EXISTS ? OK : err; /* another fault was faster */
}

err_t lease_fault(uint64_t key, uint64_t offset, uint32_t access)
{
	const uint32_t slot = key & (LEASES_MAX - 1);
	struct lease *lease;
	struct fault fault = {
		.generation = key >> KEY_GENERATION_SHIFT,
		.vmo = (uint32_t)(key >> KEY_VMO_SHIFT) & ((1u << (KEY_GENERATION_SHIFT - KEY_VMO_SHIFT)) - 1),
		.offset = offset & ~PAGE_MASK,
	};
	struct inode *inode = slot_inode(slot, fault.generation, &lease);

	if (inode == NULL)
		return ERR_DENIED;
	fault.lease = lease;
	err_t err = pmfs_locate_with(table.fs, inode, fault.offset, access == RIGHT_WRITE, fault_use, &fault);
	pmfs_close(table.fs, inode);
	return err == ERR_ARGS ? ERR_DENIED : err;
}
