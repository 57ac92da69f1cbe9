/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - sessions and their open files; see files.h. A badge is index | generation << 16. */
#include "kit/files.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_INDEX_BITS 16
#define SESSION_UNUSED UINT64_MAX
#define NO_SLOT UINT32_MAX
#define FIRST_SLOTS 8u          /* of chunk 0 */
#define LIVE (1ull << 31)       /* S1 */
#define NEW (1ull << 30)        /* nobody may find it yet */
#define USERS (NEW - 1)
#define GENERATION (1ull << 32) /* one more */

_Static_assert(KIT_SESSIONS_MAX <= 1u << SESSION_INDEX_BITS, "a badge holds a session's index");
_Static_assert(FIRST_SLOTS << (KIT_FILE_CHUNKS - 1) == KIT_OPEN_FILES_MAX, "chunks for all");

static _Atomic uint32_t next_shard;

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
	const uint64_t name = ++files->generation << SESSION_INDEX_BITS;
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

/* The one that has the badge's place; whether it is still the badge's own is to be looked at. */
static inline struct kit_session *session_at(struct kit_files *files, uint64_t badge)
{
	const uint64_t index = badge & ((1u << SESSION_INDEX_BITS) - 1);

	if (unlikely(index >= KIT_SESSIONS_MAX))
		return NULL;
	return atomic_load_explicit(&files->sessions[index], memory_order_acquire);
}

/* --- slots --- */

static inline uint32_t chunk_of(uint32_t index)
{
	return 29 - (uint32_t)__builtin_clz(index | (FIRST_SLOTS - 1));
}

/* The index is one that there is. */
static inline struct kit_file_slot *slot_at(const struct kit_files *files, struct kit_session *session, uint32_t index)
{
	const uintptr_t start = atomic_load_explicit(&session->chunk[chunk_of(index)], memory_order_acquire);

	return (struct kit_file_slot *)(start + index * files->slot_bytes);
}

/* The thread's own: an activation stays on its CPU. */
static inline _Atomic uint64_t *free_list(struct kit_session *session)
{
	static _Thread_local uint32_t shard; /* + 1 */

	if (unlikely(shard == 0))
		shard = atomic_fetch_add(&next_shard, 1) % KIT_FILE_SHARDS + 1;
	return &session->free[shard - 1].head;
}

/* `first` to `last` hang together. */
static void slots_push(_Atomic uint64_t *list, uint32_t first, struct kit_file_slot *last)
{
	uint64_t head = atomic_load_explicit(list, memory_order_relaxed), next;

	do {
		atomic_store_explicit(&last->next_free, (uint32_t)head, memory_order_relaxed);
		next = ((head >> 32) + 1) << 32 | first;
	} while (!atomic_compare_exchange_weak_explicit(list, &head, next, memory_order_release, memory_order_relaxed));
}

static struct kit_file_slot *slot_pop(const struct kit_files *files, struct kit_session *session,
		_Atomic uint64_t *list)
{
	uint64_t head = atomic_load_explicit(list, memory_order_acquire);

	while ((uint32_t)head != NO_SLOT) {
		struct kit_file_slot *slot = slot_at(files, session, (uint32_t)head);
		const uint32_t after = atomic_load_explicit(&slot->next_free, memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(list, &head, ((head >> 32) + 1) << 32 | after, memory_order_acquire,
				memory_order_acquire))
			return slot;
	}
	return NULL;
}

/* A new chunk, its slots on the list. [s] */
static err_t session_grow(struct kit_files *files, struct kit_session *session, _Atomic uint64_t *list)
{
	const uint32_t old = atomic_load(&session->slot_count), more = old == 0 ? FIRST_SLOTS : old;

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
	atomic_store(&session->chunk[chunk_of(old)], (uintptr_t)chunk - old * files->slot_bytes);
	atomic_store(&session->slot_count, old + more);
	slots_push(list, old, slot_at(files, session, old + more - 1));
	return OK;
}

/* From this CPU's list, or another's, or a new one. */
static COLD err_t slot_take_anywhere(struct kit_files *files, struct kit_session *session, struct kit_file_slot **out)
{
	err_t err = OK;

	*out = NULL;
	pthread_mutex_lock(&session->lock);
	while (err == OK && *out == NULL) {
		for (uint32_t i = 0; i < KIT_FILE_SHARDS && *out == NULL; i++)
			*out = slot_pop(files, session, &session->free[i].head);
		if (*out == NULL)
			err = session_grow(files, session, free_list(session));
	}
	pthread_mutex_unlock(&session->lock);
	return err;
}

/* --- the end --- */

static bool slots_in_use(struct kit_files *files, struct kit_session *session, uint64_t mask)
{
	const uint32_t count = atomic_load(&session->slot_count);

	for (uint32_t at = 0; at < count; at++)
		if (atomic_load(&slot_at(files, session, at)->state) & mask)
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
		files->first_free = (uint32_t)(badge & ((1u << SESSION_INDEX_BITS) - 1));
	}
	pthread_mutex_unlock(&files->lock);
}

/* Neither users nor LIVE: the caller is the one who finishes it. */
static inline void slot_finish(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot)
{
	const uint64_t generation = (atomic_load_explicit(&slot->state, memory_order_relaxed) >> 32) - 1;
	const uint64_t badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);

	files->close(slot->file, badge, slot->index | generation << 32);
	slots_push(free_list(session), slot->index, slot);
	if (unlikely(atomic_load(&session->ended)))
		session_recycle(files, session);
}

/* Close whatever nobody uses; the rest when its users are done. */
static uint32_t session_drain(struct kit_files *files, struct kit_session *session, uint64_t badge)
{
	const uint32_t count = atomic_load(&session->slot_count);
	uint32_t closed = 0;

	for (uint32_t at = 0; at < count; at++) {
		struct kit_file_slot *slot = slot_at(files, session, at);
		uint64_t state = atomic_load(&slot->state);
		while ((state & LIVE) && atomic_load(&slot->badge) == badge) {
			if (!atomic_compare_exchange_weak(&slot->state, &state, state + GENERATION - LIVE))
				continue;
			closed++;
			if ((state & USERS) == 0)
				slot_finish(files, session, slot);
			break;
		}
	}
	return closed;
}

void kit_session_end(struct kit_files *files, uint64_t badge)
{
	struct kit_session *session = session_at(files, badge);

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

/* The session has ended while the slot was being taken: nobody has seen what is in it. */
static COLD err_t slot_take_back(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot)
{
	const uint64_t generation = atomic_load(&slot->state) >> 32;

	atomic_store(&slot->state, (generation + 1) << 32);
	slots_push(free_list(session), slot->index, slot);
	session_recycle(files, session);
	return ERR_BAD_HANDLE;
}

err_t kit_file_add(struct kit_files *files, uint64_t badge, void **file, uint64_t *number)
{
	struct kit_session *session = session_at(files, badge);

	if (unlikely(session == NULL))
		return ERR_BAD_HANDLE;
	struct kit_file_slot *slot = slot_pop(files, session, free_list(session));
	if (unlikely(slot == NULL)) {
		err_t err = slot_take_anywhere(files, session, &slot);
		if (err != OK)
			return err;
	}
	const uint64_t generation = atomic_load_explicit(&slot->state, memory_order_relaxed) >> 32;
	atomic_store_explicit(&slot->badge, badge, memory_order_relaxed);
	/* Either kit_session_end sees the slot, or its `ended` is seen here. */
	atomic_exchange(&slot->state, generation << 32 | LIVE | NEW | 1);
	if (unlikely(atomic_load(&session->ended) || atomic_load(&session->badge) != badge))
		return slot_take_back(files, session, slot);
	*file = slot->file;
	*number = slot->index | generation << 32;
	return OK;
}

/* The slot of that number, and its state, if the file can be used. */
static inline struct kit_file_slot *slot_find(struct kit_files *files, uint64_t badge, uint64_t number, uint64_t *state)
{
	struct kit_session *session = session_at(files, badge);
	const uint32_t index = (uint32_t)number;

	if (unlikely(session == NULL || index >= atomic_load_explicit(&session->slot_count, memory_order_acquire)))
		return NULL;
	struct kit_file_slot *slot = slot_at(files, session, index);
	*state = atomic_load_explicit(&slot->state, memory_order_acquire);
	return slot;
}

static inline bool slot_fits(struct kit_file_slot *slot, uint64_t state, uint64_t badge, uint64_t number)
{
	return likely(state >> 32 == number >> 32 && (state & (LIVE | NEW)) == LIVE &&
			atomic_load_explicit(&slot->badge, memory_order_relaxed) == badge);
}

err_t kit_file_get(struct kit_files *files, uint64_t badge, uint64_t number, void **file)
{
	uint64_t state;
	struct kit_file_slot *slot = slot_find(files, badge, number, &state);

	if (unlikely(slot == NULL))
		return ERR_BAD_HANDLE;
	do {
		if (!slot_fits(slot, state, badge, number))
			return ERR_BAD_HANDLE;
	} while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, state + 1, memory_order_acquire,
			memory_order_acquire));
	*file = slot->file;
	return OK;
}

/* One of a slot's users leaves; `less` is what that takes from its state. */
static inline void slot_leave(struct kit_files *files, uint64_t badge, uint64_t number, uint64_t less)
{
	struct kit_session *session = session_at(files, badge);
	struct kit_file_slot *slot = slot_at(files, session, (uint32_t)number);
	const uint64_t before = atomic_fetch_sub_explicit(&slot->state, less, memory_order_acq_rel);

	if (unlikely((before & (LIVE | USERS)) == 1))
		slot_finish(files, session, slot);
}

void kit_file_ready(struct kit_files *files, uint64_t badge, uint64_t number)
{
	slot_leave(files, badge, number, NEW + 1);
}

void kit_file_put(struct kit_files *files, uint64_t badge, uint64_t number)
{
	slot_leave(files, badge, number, 1);
}

err_t kit_file_close(struct kit_files *files, uint64_t badge, uint64_t number)
{
	uint64_t state;
	struct kit_file_slot *slot = slot_find(files, badge, number, &state);

	if (unlikely(slot == NULL))
		return ERR_BAD_HANDLE;
	do {
		if (!slot_fits(slot, state, badge, number))
			return ERR_BAD_HANDLE;
	} while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, state + GENERATION - LIVE,
			memory_order_acq_rel, memory_order_acquire));
	if (likely((state & USERS) == 0))
		slot_finish(files, session_at(files, badge), slot);
	return OK;
}
