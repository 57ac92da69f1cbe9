/* SPDX-License-Identifier: BSD-2-Clause */
/* locks.c - the table of locks and of requests that wait; see locks.h. */
#include "kit/locks.h"

#include <stdlib.h>
#include <string.h>

struct lock_entry {
	struct lock_entry *next;   /* in its bucket: held locks in any order, requests in the order in which they came */
	uint64_t inode;
	struct lock_owner owner;
	struct lock_range range;
	bool waiting;
	uint64_t event;            /* waiting */
	struct lock_entry *spare;  /* waiting: for range_set, so that a lock is granted without needing memory */
	bool seen;                 /* while a circle is looked for */
	struct lock_entry *work;   /* the same: where to look next */
};

void locks_init(struct locks *locks)
{
	memset(locks, 0, sizeof(*locks));
	pthread_mutex_init(&locks->mutex, NULL);
}

static struct lock_entry **bucket_of(struct locks *locks, uint64_t inode)
{
	return &locks->bucket[inode % LOCKS_BUCKETS];
}

static bool same_owner(const struct lock_owner *a, const struct lock_owner *b)
{
	return a->session == b->session && a->whole == b->whole && a->file == b->file;
}

static bool overlap(const struct lock_range *a, const struct lock_range *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* L2. `held` is a lock that somebody has. */
static bool conflicts(const struct lock_entry *held, uint64_t inode, const struct lock_owner *owner,
		const struct lock_range *range)
{
	return !held->waiting && held->inode == inode && held->owner.whole == owner->whole &&
			!same_owner(&held->owner, owner) && overlap(&held->range, range) &&
			((held->range.type | range->type) & FS_LOCK_EXCLUSIVE);
}

static struct lock_entry *conflict_find(struct locks *locks, uint64_t inode, const struct lock_owner *owner,
		const struct lock_range *range)
{
	struct lock_entry *entry = *bucket_of(locks, inode);

	while (entry != NULL && !conflicts(entry, inode, owner, range))
		entry = entry->next;
	return entry;
}

static struct lock_entry *entry_new(uint64_t inode, const struct lock_owner *owner, const struct lock_range *range)
{
	struct lock_entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->inode = inode;
	entry->owner = *owner;
	entry->range = *range;
	return entry;
}

/* At the end: requests keep their order. */
static void entry_put(struct locks *locks, struct lock_entry *entry)
{
	struct lock_entry **link = bucket_of(locks, entry->inode);

	while (*link != NULL)
		link = &(*link)->next;
	entry->next = NULL;
	*link = entry;
	atomic_fetch_add(&locks->count, 1);
}

static void entry_take(struct locks *locks, struct lock_entry **link)
{
	struct lock_entry *entry = *link;

	*link = entry->next;
	free(entry->spare);
	free(entry);
	atomic_fetch_sub(&locks->count, 1);
}

/* --- L1 --- */

/* Cut `range` out of the owner's locks; *spare is used up if one of them falls into two. */
static void range_cut(struct locks *locks, uint64_t inode, const struct lock_owner *owner,
		const struct lock_range *range, struct lock_entry **spare)
{
	struct lock_entry **link = bucket_of(locks, inode);

	while (*link != NULL) {
		struct lock_entry *entry = *link;
		struct lock_range *held = &entry->range;
		const bool ours = !entry->waiting && entry->inode == inode && same_owner(&entry->owner, owner);
		if (!ours || !overlap(held, range)) {
			link = &entry->next;
		} else if (held->first >= range->first && held->last <= range->last) {
			entry_take(locks, link);
		} else {
			if (held->first < range->first && held->last > range->last) {
				struct lock_entry *rest = *spare;
				*spare = NULL;
				rest->range = *held;
				rest->range.first = range->last + 1;
				entry_put(locks, rest);
			}
			if (held->first < range->first)
				held->last = range->first - 1;
			else
				held->first = range->last + 1;
			link = &entry->next;
		}
	}
}

/* The owner's neighbours of the same type become part of `entry`, which is in no bucket. */
static void range_join(struct locks *locks, struct lock_entry *entry)
{
	struct lock_entry **link = bucket_of(locks, entry->inode);
	struct lock_range *range = &entry->range;

	while (*link != NULL) {
		const struct lock_range *held = &(*link)->range;
		const bool ours = !(*link)->waiting && (*link)->inode == entry->inode &&
				same_owner(&(*link)->owner, &entry->owner) && held->type == range->type;
		const bool before = held->last != LOCKS_LAST && held->last + 1 == range->first;
		const bool behind = range->last != LOCKS_LAST && range->last + 1 == held->first;
		if (!ours || (!before && !behind)) {
			link = &(*link)->next;
			continue;
		}
		if (before)
			range->first = held->first;
		else
			range->last = held->last;
		entry_take(locks, link);
	}
}

/* Takes over both entries. `entry` says what is set. */
static void range_set(struct locks *locks, struct lock_entry *entry, struct lock_entry *spare)
{
	range_cut(locks, entry->inode, &entry->owner, &entry->range, &spare);
	free(spare);
	if (entry->range.type == FS_LOCK_UNLOCK) {
		free(entry);
		return;
	}
	range_join(locks, entry);
	entry_put(locks, entry);
}

/* --- L3 --- */

/* Locks in the bucket have gone: whose turn is it? */
static void queue_look(struct locks *locks, struct lock_entry **bucket)
{
	struct lock_entry **link = bucket;

	while (*link != NULL) {
		struct lock_entry *entry = *link, *spare = entry->spare;
		if (!entry->waiting || conflict_find(locks, entry->inode, &entry->owner, &entry->range) != NULL) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		atomic_fetch_sub(&locks->count, 1);
		locks_wake(entry->event, true);
		entry->waiting = false;
		entry->spare = NULL;
		range_set(locks, entry, spare);
		link = bucket; /* it has changed; there is one request less to look at */
	}
}

/* --- L4 --- */

/* All requests of the session that were not seen yet are put on the list. */
static void session_work(struct locks *locks, uint64_t session, struct lock_entry **work)
{
	for (uint32_t i = 0; i < LOCKS_BUCKETS; i++) {
		for (struct lock_entry *entry = locks->bucket[i]; entry != NULL; entry = entry->next) {
			if (!entry->waiting || entry->seen || entry->owner.whole || entry->owner.session != session)
				continue;
			entry->seen = true;
			entry->work = *work;
			*work = entry;
		}
	}
}

/* Is one of the locks that the request waits for the goal's? Whoever has the others is looked at later. */
static bool waits_for(struct locks *locks, const struct lock_entry *request, uint64_t goal, struct lock_entry **work)
{
	struct lock_entry *held = *bucket_of(locks, request->inode);

	for (; held != NULL; held = held->next) {
		if (!conflicts(held, request->inode, &request->owner, &request->range))
			continue;
		if (held->owner.session == goal)
			return true;
		session_work(locks, held->owner.session, work);
	}
	return false;
}

static bool closes_circle(struct locks *locks, const struct lock_entry *request)
{
	const struct lock_entry *next = request;
	struct lock_entry *work = NULL;

	for (uint32_t i = 0; i < LOCKS_BUCKETS; i++)
		for (struct lock_entry *entry = locks->bucket[i]; entry != NULL; entry = entry->next)
			entry->seen = false;
	for (;;) {
		if (waits_for(locks, next, request->owner.session, &work))
			return true;
		if (work == NULL)
			return false;
		next = work;
		work = work->work;
	}
}

/* --- what others call --- */

static uint32_t session_count(struct locks *locks, uint64_t session, bool waiting)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < LOCKS_BUCKETS; i++)
		for (struct lock_entry *entry = locks->bucket[i]; entry != NULL; entry = entry->next)
			count += entry->owner.session == session && (entry->waiting || !waiting);
	return count;
}

/* Takes over the spare entry if it waits. */
static err_t request_queue(struct locks *locks, struct lock_entry *entry, struct lock_entry **spare, uint64_t event)
{
	if (event == 0)
		return ERR_AGAIN;
	if (session_count(locks, entry->owner.session, true) >= LOCKS_WAITING_MAX)
		return ERR_LIMIT;
	if (!entry->owner.whole && closes_circle(locks, entry))
		return ERR_DEADLOCK;
	entry->waiting = true;
	entry->event = event;
	entry->spare = *spare;
	*spare = NULL;
	entry_put(locks, entry);
	return OK;
}

/* flock: who waits for another type gives up what he has, or two who do the same would wait for ever. */
static void give_up_whole(struct locks *locks, uint64_t inode, const struct lock_owner *owner)
{
	struct lock_entry **bucket = bucket_of(locks, inode), **link = bucket;

	while (*link != NULL) {
		if (!(*link)->waiting && (*link)->inode == inode && same_owner(&(*link)->owner, owner))
			entry_take(locks, link);
		else
			link = &(*link)->next;
	}
	queue_look(locks, bucket);
}

/* Takes over the entry on success, and the spare one if it is NULL afterwards. */
static err_t set_locked(struct locks *locks, struct lock_entry *entry, struct lock_entry **spare, uint64_t event,
		bool *waits)
{
	const uint64_t inode = entry->inode;
	const struct lock_owner owner = entry->owner;
	const bool takes = entry->range.type != FS_LOCK_UNLOCK;

	if (takes && atomic_load(&locks->count) >= LOCKS_MAX &&
			session_count(locks, owner.session, false) >= LOCKS_MAX)
		return ERR_LIMIT;
	if (takes && conflict_find(locks, inode, &owner, &entry->range) != NULL) {
		err_t err = request_queue(locks, entry, spare, event);
		*waits = err == OK;
		if (err == OK && owner.whole)
			give_up_whole(locks, inode, &owner);
		return err;
	}
	range_set(locks, entry, *spare);
	*spare = NULL;
	queue_look(locks, bucket_of(locks, inode)); /* what was exclusive may be shared now */
	return OK;
}

err_t locks_set(struct locks *locks, uint64_t inode, const struct lock_owner *owner, const struct lock_range *range,
		uint64_t event, bool *waits)
{
	struct lock_entry *entry = entry_new(inode, owner, range), *spare = entry_new(inode, owner, range);
	err_t err = ERR_NO_MEMORY;

	*waits = false;
	if (entry != NULL && spare != NULL) {
		pthread_mutex_lock(&locks->mutex);
		err = set_locked(locks, entry, &spare, event, waits);
		pthread_mutex_unlock(&locks->mutex);
	}
	if (err != OK)
		free(entry); /* else it is in the table, or was not needed any more */
	free(spare);
	return err;
}

bool locks_test(struct locks *locks, uint64_t inode, const struct lock_owner *owner, const struct lock_range *range,
		struct lock_range *found)
{
	pthread_mutex_lock(&locks->mutex);
	const struct lock_entry *entry = conflict_find(locks, inode, owner, range);
	if (entry != NULL)
		*found = entry->range;
	pthread_mutex_unlock(&locks->mutex);
	return entry != NULL;
}

void locks_close_any(struct locks *locks, uint64_t inode, uint64_t session, uint64_t file)
{
	struct lock_entry **bucket = bucket_of(locks, inode), **link = bucket;

	pthread_mutex_lock(&locks->mutex);
	while (*link != NULL) {
		struct lock_entry *entry = *link;
		const bool ours = entry->inode == inode && entry->owner.session == session &&
				(!entry->owner.whole || entry->owner.file == file);
		if (!ours) {
			link = &entry->next;
			continue;
		}
		if (entry->waiting)
			locks_wake(entry->event, false);
		entry_take(locks, link);
	}
	queue_look(locks, bucket);
	pthread_mutex_unlock(&locks->mutex);
}
