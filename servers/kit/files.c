/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - sessions and their open files; see files.h. A badge is index | generation << 16. */
#include "kit/files.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_INDEX_BITS 16
#define SESSION_UNUSED UINT64_MAX
#define NO_SLOT UINT32_MAX

_Static_assert(KIT_SESSIONS_MAX <= 1u << SESSION_INDEX_BITS, "a badge holds a session's index");

static err_t session_make(struct kit_files *files, uint32_t index, uint64_t badge)
{
	struct kit_session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&session->lock, NULL);
	session->first_free = NO_SLOT;
	atomic_store(&session->badge, badge);
	atomic_store(&files->sessions[index], session);
	return OK;
}

err_t kit_files_init(struct kit_files *files, void (*close)(void *file))
{
	memset(files, 0, sizeof(*files));
	files->close = close;
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
		uint32_t index = files->first_free;
		struct kit_session *session = atomic_load(&files->sessions[index]);
		files->first_free = session->next_free;
		session->ended = false;
		atomic_store(&session->badge, name | index);
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

/* The session of that badge, locked; NULL if it is gone. */
static struct kit_session *session_lock(struct kit_files *files, uint64_t badge)
{
	const uint64_t index = badge & ((1u << SESSION_INDEX_BITS) - 1);

	if (index >= KIT_SESSIONS_MAX)
		return NULL;
	struct kit_session *session = atomic_load(&files->sessions[index]);
	if (session == NULL)
		return NULL;
	pthread_mutex_lock(&session->lock);
	if (atomic_load(&session->badge) == badge)
		return session;
	pthread_mutex_unlock(&session->lock);
	return NULL;
}

static void slot_free(struct kit_session *session, struct kit_file_slot *slot)
{
	slot->file = NULL;
	slot->closing = false;
	slot->next_free = session->first_free;
	session->first_free = (uint32_t)(slot - session->slots);
	session->open_count--;
}

/* After the last file of an ended session: its place can be used again, under another badge. */
static void session_recycle(struct kit_files *files, uint64_t badge)
{
	pthread_mutex_lock(&files->lock);
	struct kit_session *session = session_lock(files, badge);
	if (session != NULL && session->ended && session->open_count == 0) {
		free(session->slots);
		session->slots = NULL;
		session->slot_count = 0;
		session->first_free = NO_SLOT;
		atomic_store(&session->badge, SESSION_UNUSED);
		session->next_free = files->first_free;
		files->first_free = (uint32_t)(badge & ((1u << SESSION_INDEX_BITS) - 1));
	}
	if (session != NULL)
		pthread_mutex_unlock(&session->lock);
	pthread_mutex_unlock(&files->lock);
}

/* Close whatever nobody uses; the rest when its users are done. One at a time: `close` may take long. */
static uint32_t session_drain(struct kit_files *files, uint64_t badge, bool end)
{
	uint32_t closed = 0;

	for (uint32_t at = 0;; at++) {
		struct kit_session *session = session_lock(files, badge);
		if (session == NULL)
			return closed;
		session->ended |= end;
		void *file = NULL;
		while (at < session->slot_count && (session->slots[at].file == NULL || session->slots[at].closing))
			at++;
		const bool done = at >= session->slot_count;
		if (!done) {
			struct kit_file_slot *slot = &session->slots[at];
			slot->generation++;
			slot->closing = true;
			closed++;
			if (slot->users == 0) {
				file = slot->file;
				slot_free(session, slot);
			}
		}
		pthread_mutex_unlock(&session->lock);
		if (file != NULL)
			files->close(file);
		if (done)
			return closed;
	}
}

void kit_session_end(struct kit_files *files, uint64_t badge)
{
	if (badge == 0)
		return;
	session_drain(files, badge, true);
	session_recycle(files, badge);
}

uint32_t kit_files_close_all(struct kit_files *files)
{
	uint32_t closed = 0;

	for (uint32_t i = 0; i < KIT_SESSIONS_MAX; i++) {
		struct kit_session *session = atomic_load(&files->sessions[i]);
		if (session != NULL)
			closed += session_drain(files, atomic_load(&session->badge), false);
	}
	return closed;
}

bool kit_files_any_open(struct kit_files *files)
{
	bool any = false;

	for (uint32_t i = 0; i < KIT_SESSIONS_MAX && !any; i++) {
		struct kit_session *session = atomic_load(&files->sessions[i]);
		if (session == NULL)
			continue;
		pthread_mutex_lock(&session->lock);
		any = session->open_count != 0;
		pthread_mutex_unlock(&session->lock);
	}
	return any;
}

static err_t session_grow(struct kit_session *session)
{
	const uint32_t old = session->slot_count;
	const uint32_t new = old == 0 ? 8 : old * 2;

	if (new > KIT_OPEN_FILES_MAX)
		return ERR_TOO_MANY;
	struct kit_file_slot *slots = realloc(session->slots, new * sizeof(*slots));
	if (slots == NULL)
		return ERR_NO_MEMORY;
	memset(slots + old, 0, (new - old) * sizeof(*slots));
	for (uint32_t i = old; i < new; i++) {
		slots[i].generation = 1;
		slots[i].next_free = i + 1 < new ? i + 1 : session->first_free;
	}
	session->slots = slots;
	session->slot_count = new;
	session->first_free = old;
	return OK;
}

err_t kit_file_add(struct kit_files *files, uint64_t badge, void *file, uint64_t *number)
{
	struct kit_session *session = session_lock(files, badge);
	err_t err = OK;

	if (session == NULL)
		return ERR_BAD_HANDLE;
	if (session->ended)
		err = ERR_BAD_HANDLE;
	else if (session->first_free == NO_SLOT)
		err = session_grow(session);
	if (err == OK) {
		struct kit_file_slot *slot = &session->slots[session->first_free];
		*number = session->first_free | (uint64_t)slot->generation << 32;
		session->first_free = slot->next_free;
		session->open_count++;
		slot->file = file;
		slot->users = 0;
		slot->closing = false;
	}
	pthread_mutex_unlock(&session->lock);
	return err;
}

static struct kit_file_slot *slot_find(struct kit_session *session, uint64_t number)
{
	const uint32_t index = (uint32_t)number;

	if (index >= session->slot_count)
		return NULL;
	struct kit_file_slot *slot = &session->slots[index];
	if (slot->file == NULL || slot->closing || slot->generation != number >> 32)
		return NULL;
	return slot;
}

err_t kit_file_get(struct kit_files *files, uint64_t badge, uint64_t number, void **file)
{
	struct kit_session *session = session_lock(files, badge);
	err_t err = ERR_BAD_HANDLE;

	if (session == NULL)
		return err;
	struct kit_file_slot *slot = slot_find(session, number);
	if (slot != NULL) {
		slot->users++;
		*file = slot->file;
		err = OK;
	}
	pthread_mutex_unlock(&session->lock);
	return err;
}

void kit_file_put(struct kit_files *files, uint64_t badge, uint64_t number)
{
	struct kit_session *session = session_lock(files, badge);
	void *file = NULL;

	if (session == NULL)
		return;
	struct kit_file_slot *slot = &session->slots[(uint32_t)number];
	if (--slot->users == 0 && slot->closing) {
		file = slot->file;
		slot_free(session, slot);
	}
	const bool recycle = session->ended && session->open_count == 0;
	pthread_mutex_unlock(&session->lock);
	if (file != NULL)
		files->close(file);
	if (recycle)
		session_recycle(files, badge);
}

err_t kit_file_close(struct kit_files *files, uint64_t badge, uint64_t number)
{
	struct kit_session *session = session_lock(files, badge);
	void *file = NULL;

	if (session == NULL)
		return ERR_BAD_HANDLE;
	struct kit_file_slot *slot = slot_find(session, number);
	err_t err = slot == NULL ? ERR_BAD_HANDLE : OK;
	if (slot != NULL) {
		if (++slot->generation == 0)
			slot->generation = 1;
		slot->closing = true;
		if (slot->users == 0) {
			file = slot->file;
			slot_free(session, slot);
		}
	}
	pthread_mutex_unlock(&session->lock);
	if (file != NULL)
		files->close(file);
	return err;
}
