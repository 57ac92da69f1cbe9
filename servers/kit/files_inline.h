/* SPDX-License-Identifier: BSD-2-Clause */
/* files_inline.h - what of files.h is on the way of every call: part of that, not to be included by itself. */
#pragma once

#include <stddef.h>

#define KIT_SESSION_INDEX_BITS 16
#define KIT_FIRST_SLOTS 8u               /* of chunk 0 */
#define KIT_SLOT_LIVE (1ull << 31)       /* S1 */
#define KIT_SLOT_USERS (KIT_SLOT_LIVE - 1)
#define KIT_SLOT_GENERATION (1ull << 32) /* one more */

_Static_assert(KIT_SESSIONS_MAX <= 1u << KIT_SESSION_INDEX_BITS, "a badge holds a session's index");
_Static_assert(KIT_FIRST_SLOTS << (KIT_FILE_CHUNKS - 1) == KIT_OPEN_FILES_MAX, "chunks for all");

/* files.c: where it takes more. */
MUST_USE err_t kit_file_add_slowly(struct kit_files *files, uint64_t badge, struct kit_new_file *out);
bool kit_slot_end(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot, uint64_t badge);
void kit_slot_finish(struct kit_files *files, struct kit_session *session, struct kit_file_slot *slot);
extern _Thread_local uint32_t kit_shard; /* 1 + the thread's; 0: not known yet */
void kit_shard_take(void);

/* The one that has the badge's place; whether it is still the badge's own is to be looked at. */
static inline struct kit_session *kit_session_at(struct kit_files *files, uint64_t badge)
{
	const uint64_t index = badge & ((1u << KIT_SESSION_INDEX_BITS) - 1);

	if (unlikely(index >= KIT_SESSIONS_MAX))
		return NULL;
	return atomic_load_explicit(&files->sessions[index], memory_order_acquire);
}

static inline uint32_t kit_chunk_of(uint32_t index)
{
	return 29 - (uint32_t)__builtin_clz(index | (KIT_FIRST_SLOTS - 1));
}

/* The index is one that there is. */
static inline struct kit_file_slot *kit_slot_at(const struct kit_files *files, struct kit_session *session,
		uint32_t index)
{
	const uintptr_t start = atomic_load_explicit(&session->chunk[kit_chunk_of(index)], memory_order_acquire);

	return (struct kit_file_slot *)(start + index * files->slot_bytes);
}

/* The thread's own: an activation stays on its CPU. */
static inline struct kit_free_slots *kit_free_list(struct kit_session *session)
{
	if (unlikely(kit_shard == 0))
		kit_shard_take();
	return &session->free[kit_shard - 1];
}

static inline struct kit_file_slot *kit_slot_pop_apart(const struct kit_files *files, struct kit_session *session,
		struct kit_free_slots *list)
{
	if (atomic_load_explicit(&list->apart, memory_order_relaxed) == 0)
		return NULL;
	const uint32_t apart = atomic_exchange_explicit(&list->apart, 0, memory_order_acquire);
	return likely(apart != 0) ? kit_slot_at(files, session, apart - 1) : NULL;
}

static inline void kit_slot_begin(struct kit_file_slot *slot, uint64_t badge, struct kit_new_file *out)
{
	const uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

	atomic_store_explicit(&slot->badge, badge, memory_order_relaxed);
	out->slot = slot;
	out->file = slot->file;
	out->number = slot->index | (state & ~(KIT_SLOT_GENERATION - 1));
}

static inline err_t kit_file_add(struct kit_files *files, uint64_t badge, struct kit_new_file *out)
{
	struct kit_session *session = kit_session_at(files, badge);

	if (unlikely(session == NULL || atomic_load(&session->badge) != badge || atomic_load(&session->ended)))
		return ERR_BAD_HANDLE;
	out->session = session;
	struct kit_file_slot *slot = kit_slot_pop_apart(files, session, kit_free_list(session));
	if (unlikely(slot == NULL))
		return kit_file_add_slowly(files, badge, out);
	kit_slot_begin(slot, badge, out);
	return OK;
}

static inline void kit_file_ready(struct kit_files *files, uint64_t badge, const struct kit_new_file *new)
{
	struct kit_session *session = new->session;
	_Atomic uint64_t *state = &new->slot->state;

	/* Either kit_session_end sees the slot, or its `ended` is seen here. */
	atomic_exchange(state, atomic_load_explicit(state, memory_order_relaxed) | KIT_SLOT_LIVE);
	if (unlikely(atomic_load(&session->ended) || atomic_load(&session->badge) != badge))
		kit_slot_end(files, session, new->slot, badge);
}

/* The slot of that number, if the file can be used: its state, which was *before, is changed by `plus`; NULL if it
 * cannot. */
static ALWAYS_INLINE struct kit_file_slot *kit_slot_change(struct kit_files *files, uint64_t badge, uint64_t number,
		uint64_t plus, uint64_t *before)
{
	struct kit_session *session = kit_session_at(files, badge);
	const uint32_t index = (uint32_t)number;

	if (unlikely(session == NULL || index >= atomic_load_explicit(&session->slot_count, memory_order_acquire)))
		return NULL;
	struct kit_file_slot *slot = kit_slot_at(files, session, index);
	uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
	do {
		if (unlikely(state >> 32 != number >> 32 || !(state & KIT_SLOT_LIVE) ||
				atomic_load_explicit(&slot->badge, memory_order_relaxed) != badge))
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, state + plus, memory_order_acq_rel,
			memory_order_acquire));
	*before = state;
	return slot;
}

static inline err_t kit_file_get(struct kit_files *files, uint64_t badge, uint64_t number, void **file)
{
	uint64_t before;
	struct kit_file_slot *slot = kit_slot_change(files, badge, number, 1, &before);

	if (unlikely(slot == NULL))
		return ERR_BAD_HANDLE;
	*file = slot->file;
	return OK;
}

static inline struct kit_file_slot *kit_slot_of(void *file)
{
	return (struct kit_file_slot *)((char *)file - offsetof(struct kit_file_slot, file));
}

static inline void kit_file_put(struct kit_files *files, uint64_t badge, void *file)
{
	struct kit_file_slot *slot = kit_slot_of(file);
	const uint64_t before = atomic_fetch_sub_explicit(&slot->state, 1, memory_order_acq_rel);

	if (unlikely((before & (KIT_SLOT_LIVE | KIT_SLOT_USERS)) == 1))
		kit_slot_finish(files, kit_session_at(files, badge), slot);
}
