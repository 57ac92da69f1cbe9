/* SPDX-License-Identifier: BSD-2-Clause */
/* files.h - sessions and their open files. A session is a badge (0: the root session, always
 * there); a file number is index | generation << 32 in its session, so a stale number finds
 * nothing. Badges are never reused. Files are the server's own objects; while one is in use by a
 * call it is not closed: the last user does it.
 * Locks: [f] files->lock (making and ending sessions)  [s] session->lock  [a] atomic. Order: f, s.
 * Neither is held when `close` is called. Sessions share nothing on the way to a file: two clients
 * never meet. */
#pragma once

#include <lintel/types.h>
#include <pthread.h>
#include <stdatomic.h>

#define KIT_SESSIONS_MAX 4096u     /* at one time */
#define KIT_OPEN_FILES_MAX 65536u  /* of one session */

struct kit_file_slot {
	void *file;          /* NULL: free */
	uint32_t generation;
	uint32_t users;      /* calls that are using it now */
	uint32_t next_free;
	bool closing;
};

struct kit_session {
	pthread_mutex_t lock;
	_Atomic uint64_t badge;      /* [a] whose it is; SESSION_UNUSED when free */
	struct kit_file_slot *slots; /* [s] */
	uint32_t slot_count;         /* [s] */
	uint32_t first_free;         /* [s] */
	uint32_t open_count;         /* [s] */
	bool ended;                  /* [s] */
	uint32_t next_free;          /* [f] */
};

struct kit_files {
	void (*close)(void *file);
	pthread_mutex_t lock;
	struct kit_session *_Atomic sessions[KIT_SESSIONS_MAX]; /* [a] made once, then reused, never freed */
	uint32_t session_count;                                 /* [f] */
	uint32_t first_free;                                    /* [f] */
	uint64_t generation;                                    /* [f] */
};

MUST_USE err_t kit_files_init(struct kit_files *files, void (*close)(void *file));

/* A new session: its badge. ERR_LIMIT, ERR_NO_MEMORY. */
MUST_USE err_t kit_session_add(struct kit_files *files, uint64_t *badge);
/* Its client is gone: closes all of its files. */
void kit_session_end(struct kit_files *files, uint64_t badge);
/* End every session but keep the root's identity: at unmount. Returns how many files were open. */
uint32_t kit_files_close_all(struct kit_files *files);
bool kit_files_any_open(struct kit_files *files);

/* Takes over `file` on success. ERR_TOO_MANY, ERR_NO_MEMORY, ERR_BAD_HANDLE (no such session). */
MUST_USE err_t kit_file_add(struct kit_files *files, uint64_t badge, void *file, uint64_t *number);
/* The file stays until kit_file_put. ERR_BAD_HANDLE. */
MUST_USE err_t kit_file_get(struct kit_files *files, uint64_t badge, uint64_t number, void **file);
void kit_file_put(struct kit_files *files, uint64_t badge, uint64_t number);
/* ERR_BAD_HANDLE. The number is dead afterwards; the file is closed now or by its last user. */
MUST_USE err_t kit_file_close(struct kit_files *files, uint64_t badge, uint64_t number);
