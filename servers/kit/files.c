/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - sessions and their open files; see files.h. A badge is index | generation << 16. */
#include "kit/files.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_UNUSED UINT64_MAX
#define NO_SLOT UINT32_MAX
#define LIVE KIT_SLOT_LIVE
#define USERS KIT_SLOT_USERS
#define GENERATION KIT_SLOT_GENERATION

_Thread_local uint32_t kit_shard;

COLD void kit_shard_take(void)
{
	static _Atomic uint32_t next;

	kit_shard = atomic_fetch_add(&next, 1) % KIT_FILE_SHARDS + 1;
}

/* --- sessions --- */

static err_t session_make(struct kit_files *files, uint32_t index, uint64_t badge)
{
	struct kit_session *session = aligned_alloc(64, sizeof(*session));

	if (session == NULL)
		return ERR_NO_MEMORY;
	memset(session, 0, sizeof(*session));
	pthread_mutex_init(&session->lock, NULL);
	for (uint32_t i = 0; i < KIT_FILE_SHARDS; i++)
		atomic_store(&session->free[i].head, NO_SLOT);
	atomic_store(&session->badge, badge);
	atomic_store(&files->sessions[index], session);
	return OK;
}

err_t kit_files_init(struct kit_files *files, size_t file_bytes,
		void (*close)(void *file, uint64_t badge, uint64_t number))
{
	memset(files, 0, sizeof(*files));
	files->close = close;
	files->slot_bytes = (sizeof(struct kit_file_slot) + file_bytes + 63) & ~(size_t)63;
	files->first_free = NO_SLOT;
	pthread_mutex_init(&files->lock, NULL);
	err_t err = session_make(files, 0, 0);
	if (err != OK)
		return err;
	files->session_count = 1;
	return OK;
}

err_t kit_session_add(struct kit_files *files, uint64_t *badge)
{
	err_t err = OK;

	pthread_mutex_lock(&files->lock);
	const uint64_t name = ++files->generation << KIT_SESSION_INDEX_BITS;
	if (files->first_free != NO_SLOT) {
		const uint32_t index = files->first_free;
		struct kit_session *session = atomic_load(&files->sessions[index]);
		files->first_free = session->next_free;
		atomic_store(&session->badge, name | index);
		atomic_store(&session->ended, false); /* after the badge: kit_file_add looks at them in this order */
		*badge = name | index;
	} else if (files->session_count == KIT_SESSIONS_MAX) {
		err = ERR_LIMIT;
	} else {
		err = session_make(files, files->session_count, name | files->session_count);
		if (err == OK)
			*badge = name | files->session_count++;
	}
	pthread_mutex_unlock(&files->lock);
	return err;
}

/* --- slots --- */

/* `first` to `last` hang together. */
static void slots_push(struct kit_free_slots *list, uint32_t first, struct kit_file_slot *last)
{
	uint64_t head = atomic_load_explicit(&list->head, memory_order_relaxed), next;

	do {
		atomic_store_explicit(&last->next_free, (uint32_t)head, memory_order_relaxed);
		next = ((head >> 32) + 1) << 32 | first;
	} while (!atomic_compare_exchange_weak_explicit(&list->head, &head, next, memory_order_release,
			memory_order_relaxed));
}

static inline void slot_push(struct kit_free_slots *list, struct kit_file_slot *slot)
{
	uint32_t none = 0;

	if (unlikely(!atomic_compare_exchange_strong_explicit(&list->apart, &none, slot->index + 1, memory_order_release,
			memory_order_relaxed)))
		slots_push(list, slot->index, slot);
}

static struct kit_file_slot *slot_pop(const struct kit_files *files, struct kit_session *session,
		struct kit_free_slots *list)
{
	uint64_t head = atomic_load_explicit(&list->head, memory_order_acquire);

	while ((uint32_t)head != NO_SLOT) {
		struct kit_file_slot *slot = kit_slot_at(files, session, (uint32_t)head);
		const uint32_t after = atomic_load_explicit(&slot->next_free, memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(&list->head, &head, ((head >> 32) + 1) << 32 | after,
				memory_order_acquire, memory_order_acquire))
			return slot;
	}
	return NULL;
}

/* A new chunk, its slots on the list. [s] */
static err_t session_grow(struct kit_files *files, struct kit_session *session, struct kit_free_slots *list)
{
	const uint32_t old = atomic_load(&session->slot_count), more = old == 0 ? KIT_FIRST_SLOTS : old;

	if (old + more > KIT_OPEN_FILES_MAX)
		return ERR_TOO_MANY;
	char *chunk = aligned_alloc(64, more * files->slot_bytes);
	if (chunk == NULL)
		return ERR_NO_MEMORY;
	memset(chunk, 0, more * files->slot_bytes);
	for (uint32_t i = 0; i < more; i++) {
		struct kit_file_slot *slot = (struct kit_file_slot *)(void *)(chunk + i * files->slot_bytes);
		atomic_store_explicit(&slot->state, GENERATION, memory_order_relaxed);
		atomic_store_explicit(&slot->next_free, old + i + 1, memory_order_relaxed);
		slot->index = old + i;
	}
	atomic_store(&session->chunk[kit_chunk_of(old)], (uintptr_t)chunk - old * files->slot_bytes);
	atomic_store(&session->slot_count, old + more);
	slots_push(list, old, kit_slot_at(files, session, old + more - 1));
	return OK;
}

/* From any list, or a new one. */
static COLD err_t slot_take_anywhere(struct kit_files *files, struct kit_session *session, struct kit_file_slot **out)
{
	err_t err = OK;

	*out = slot_pop(files, session, kit_free_list(session));
	if (*out != NULL)
		return OK;
	pthread_mutex_lock(&session->lock);
	while (err == OK && *out == NULL) {
		for (uint32_t i = 0; i < KIT_FILE_SHARDS && *out == NULL; i++) {
			*out = slot_pop(files, session, &session->free[i]);
			*out = *out != NULL ? *out : kit_slot_pop_apart(files, session, &session->free[i]);
		}
		if (*out == NULL)
			err = session_grow(files, session, kit_free_list(session));
	}
	pthread_mutex_unlock(&session->lock);
	return err;
}

/* --- the end --- */

static bool slots_in_use(struct kit_files *files, struct kit_session *session, uint64_t mask)
{
	const uint32_t count = atomic_load(&session->slot_count);

	for (uint32_t at = 0; at < count; at++)
		if (atomic_load(&kit_slot_at(files, session, at)->state) & mask)
			return true;
	return false;
}

/* After the last file of an ended session: its place can be used again, under another badge. */
static COLD void session_recycle(struct kit_files *files, struct kit_session *session)
{
	pthread_mutex_lock(&files->lock);
	const uint64_t badge = atomic_load(&session->badge);
	if (badge != SESSION_UNUSED && atomic_load(&session->ended) && !slots_in_use(files, session, LIVE | USERS)) {
		atomic_store(&session->badge, SESSION_UNUSED);
		session->next_free = files->first_free;
		files->first_free = (uint32_t)(badge & ((1u << KIT_SESSION_INDEX_BITS) - 1));
	}
	pthread_mutex_unlock(&files->lock);
}

/* Neither users nor LIVE: the caller is the one who finishes it. */
static ALWAYS_INLINE void slot_finish(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot)
{
	const uint64_t generation = (atomic_load_explicit(&slot->state, memory_order_relaxed) >> 32) - 1;
	const uint64_t badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);

	files->close(slot->file, badge, slot->index | generation << 32);
	slot_push(kit_free_list(session), slot);
	if (unlikely(atomic_load(&session->ended)))
		session_recycle(files, session);
}

void kit_slot_finish(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot)
{
	slot_finish(files, session, slot);
}

/* The badge's file, if it is in the slot, is closed: now if nobody uses it, or else by its last user. */
bool kit_slot_end(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot, uint64_t badge)
{
	uint64_t state = atomic_load(&slot->state);

	while ((state & LIVE) && atomic_load(&slot->badge) == badge) {
		if (!atomic_compare_exchange_weak(&slot->state, &state, state + GENERATION - LIVE))
			continue;
		if ((state & USERS) == 0)
			kit_slot_finish(files, session, slot);
		return true;
	}
	return false;
}

static uint32_t session_drain(struct kit_files *files, struct kit_session *session, uint64_t badge)
{
	const uint32_t count = atomic_load(&session->slot_count);
	uint32_t closed = 0;

	for (uint32_t at = 0; at < count; at++)
		closed += kit_slot_end(files, session, kit_slot_at(files, session, at), badge);
	return closed;
}

void kit_session_end(struct kit_files *files, uint64_t badge)
{
	struct kit_session *session = kit_session_at(files, badge);

	if (badge == 0 || session == NULL || atomic_load(&session->badge) != badge)
		return;
	atomic_store(&session->ended, true);
	session_drain(files, session, badge);
	session_recycle(files, session);
}

uint32_t kit_files_close_all(struct kit_files *files)
{
	uint32_t closed = 0;

	for (uint32_t i = 0; i < KIT_SESSIONS_MAX; i++) {
		struct kit_session *session = atomic_load(&files->sessions[i]);
		if (session != NULL)
			closed += session_drain(files, session, atomic_load(&session->badge));
	}
	return closed;
}

bool kit_files_any_open(struct kit_files *files)
{
	for (uint32_t i = 0; i < KIT_SESSIONS_MAX; i++) {
		struct kit_session *session = atomic_load(&files->sessions[i]);
		if (session != NULL && slots_in_use(files, session, LIVE | USERS))
			return true;
	}
	return false;
}

/* --- files --- */

err_t kit_file_add_slowly(struct kit_files *files, uint64_t badge, struct kit_new_file *out)
{
	struct kit_file_slot *slot;
	err_t err = slot_take_anywhere(files, out->session, &slot);

	if (err == OK)
		kit_slot_begin(slot, badge, out);
	return err;
}

err_t kit_file_close(struct kit_files *files, uint64_t badge, uint64_t number)
{
	uint64_t before;
	struct kit_file_slot *slot = kit_slot_change(files, badge, number, GENERATION - LIVE, &before);

	if (unlikely(slot == NULL))
		return ERR_BAD_HANDLE;
	if (likely((before & USERS) == 0))
		slot_finish(files, kit_session_at(files, badge), slot);
	return OK;
}
