/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c - watches and their queues; see notify.h. */
#include "notify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 64u

struct watch {
	struct watch *next;
	uint64_t inode;
	uint64_t session;
	uint64_t file;
	uint64_t event;
	uint32_t events;
	uint32_t last;   /* where the latest record in the queue begins */
	uint32_t bytes;  /* in the queue */
	bool lost;       /* something, after what is in the queue */
	uint8_t queue[NOTIFY_QUEUE_BYTES];
};

static struct {
	pthread_mutex_t lock;
	struct pmfs *fs;
	const struct notify_ops *ops;
	uint32_t count;
	struct watch *bucket[BUCKETS];
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

void notify_init(struct pmfs *fs, const struct notify_ops *ops)
{
	all.fs = fs;
	all.ops = ops;
}

static struct watch **watch_find(uint64_t inode, uint64_t session, uint64_t file)
{
	struct watch **link = &all.bucket[inode % BUCKETS];

	while (*link != NULL && ((*link)->inode != inode || (*link)->session != session || (*link)->file != file))
		link = &(*link)->next;
	return link;
}

static uint32_t session_count(uint64_t session)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < BUCKETS; i++)
		for (const struct watch *w = all.bucket[i]; w != NULL; w = w->next)
			count += w->session == session;
	return count;
}

static err_t watch_put(struct watch *fresh)
{
	struct watch *w = *watch_find(fresh->inode, fresh->session, fresh->file);

	if (w != NULL) {
		all.ops->end(w->event);
		w->event = fresh->event;
		w->events = fresh->events;
		all.ops->ready(w->event, w->bytes != 0 || w->lost);
		free(fresh);
		return OK;
	}
	if (all.count == NOTIFY_WATCHES_MAX || session_count(fresh->session) == NOTIFY_SESSION_MAX)
		return ERR_TOO_MANY;
	struct watch **bucket = &all.bucket[fresh->inode % BUCKETS];
	fresh->next = *bucket;
	*bucket = fresh;
	all.count++;
	pmfs_watched(all.fs, 1);
	return OK;
}

err_t notify_watch(uint64_t inode, uint64_t session, uint64_t file, uint32_t events, uint64_t event)
{
	struct watch *fresh = malloc(sizeof(*fresh));

	if (fresh == NULL)
		return ERR_NO_MEMORY;
	fresh->inode = inode;
	fresh->session = session;
	fresh->file = file;
	fresh->event = event;
	fresh->events = events;
	fresh->last = fresh->bytes = 0;
	fresh->lost = false;
	pthread_mutex_lock(&all.lock);
	err_t err = watch_put(fresh);
	pthread_mutex_unlock(&all.lock);
	if (err != OK)
		free(fresh);
	return err;
}

void notify_close(uint64_t inode, uint64_t session, uint64_t file)
{
	pthread_mutex_lock(&all.lock);
	struct watch **link = watch_find(inode, session, file), *w = *link;
	if (w != NULL) {
		*link = w->next;
		all.count--;
		pmfs_watched(all.fs, -1);
		all.ops->end(w->event);
	}
	pthread_mutex_unlock(&all.lock);
	free(w);
}

/* --- queues --- */

static void queue_add(struct watch *w, const struct fs_event_record *record, const char *name)
{
	const uint8_t *last = w->queue + w->last;

	if (w->lost)
		return; /* what comes after a loss is lost too: order is kept */
	if (w->bytes != 0 && memcmp(last, record, sizeof(*record)) == 0 &&
			memcmp(last + sizeof(*record), name, record->name_bytes) == 0)
		return; /* the same again */
	if (w->bytes == 0)
		all.ops->ready(w->event, true);
	if (record->record_bytes > NOTIFY_QUEUE_BYTES - w->bytes) {
		w->lost = true;
		return;
	}
	w->last = w->bytes;
	memset(w->queue + w->bytes, 0, record->record_bytes);
	memcpy(w->queue + w->bytes, record, sizeof(*record));
	memcpy(w->queue + w->bytes + sizeof(*record), name, record->name_bytes);
	w->bytes += record->record_bytes;
}

void notify_changed(uint64_t inode, uint32_t events, const char *name, size_t name_bytes)
{
	const size_t bytes = name != NULL ? name_bytes : 0;
	struct fs_event_record record = { .record_bytes = (uint16_t)((sizeof(record) + bytes + 7) & ~(size_t)7),
		.name_bytes = (uint16_t)bytes };

	pthread_mutex_lock(&all.lock);
	for (struct watch *w = all.bucket[inode % BUCKETS]; w != NULL; w = w->next) {
		record.events = events & w->events;
		if (w->inode == inode && record.events != 0)
			queue_add(w, &record, bytes != 0 ? name : "");
	}
	pthread_mutex_unlock(&all.lock);
}

static uint32_t record_at(const struct watch *w, uint32_t at)
{
	struct fs_event_record record;

	memcpy(&record, w->queue + at, sizeof(record));
	return record.record_bytes;
}

/* What fits goes to `out`; the rest moves up. */
static err_t queue_take(struct watch *w, uint8_t *out, size_t room, uint64_t *bytes)
{
	const struct fs_event_record loss = { .events = FS_EVENT_LOST, .record_bytes = sizeof(loss) };
	uint32_t taken = 0;

	while (taken < w->bytes && record_at(w, taken) <= room - taken)
		taken += record_at(w, taken);
	if (taken == 0 && w->bytes != 0)
		return ERR_ARGS;
	memcpy(out, w->queue, taken);
	memmove(w->queue, w->queue + taken, w->bytes - taken);
	w->bytes -= taken;
	w->last = w->bytes != 0 ? w->last - taken : 0;
	*bytes = taken;
	if (w->bytes == 0 && w->lost && sizeof(loss) <= room - taken) {
		memcpy(out + taken, &loss, sizeof(loss));
		*bytes += sizeof(loss);
		w->lost = false;
	}
	if (w->bytes == 0 && !w->lost)
		all.ops->ready(w->event, false);
	return OK;
}

err_t notify_read(uint64_t inode, uint64_t session, uint64_t file, void *records, size_t room, uint64_t *bytes)
{
	uint8_t copy[NOTIFY_QUEUE_BYTES + sizeof(struct fs_event_record)]; /* no client's memory is touched when locked */

	if (room < sizeof(struct fs_event_record))
		return ERR_ARGS;
	pthread_mutex_lock(&all.lock);
	struct watch *w = *watch_find(inode, session, file);
	err_t err = w == NULL ? ERR_NOT_FOUND : queue_take(w, copy, room < sizeof(copy) ? room : sizeof(copy), bytes);
	pthread_mutex_unlock(&all.lock);
	if (err == OK)
		memcpy(records, copy, *bytes);
	return err;
}
