/* SPDX-License-Identifier: BSD-2-Clause */
/* files.h - sessions and their open files. A session is a badge (0: the root session, always there); a file number is
 * index | generation << 32 in its session, so a stale number finds nothing. Badges are never reused. What a server
 * keeps of an open file lies in the session's table, `file_bytes` of it; while a call uses a file it is not closed: the
 * last user does it.
 *
 * S1  A slot is free, or taken: its state says by how many calls it is used, and whether it is LIVE: not closed yet.
 *     The one who takes LIVE away counts the generation up. Without users and without LIVE it is closed, and free
 *     again.
 * S2  A slot's badge changes only while it is free. Who has seen a state and a badge, and changes that very state, has
 *     got that badge's file.
 * S3  Slots keep their place and their memory; the next session at the same place goes on with them.
 *
 * Locks: [f] files->lock (making and ending sessions)  [s] session->lock (more slots)  [a] atomic. Order: f, s. Neither
 * is held when `close` is called, and neither is taken on the way to a file. Two sessions share nothing; two CPUs that
 * serve one session have, as long as there are shards, lists of free slots of their own. */
#pragma once

#include <lintel/types.h>
#include <pthread.h>
#include <stdatomic.h>

#define KIT_SESSIONS_MAX 4096u     /* at one time */
#define KIT_OPEN_FILES_MAX 65536u  /* of one session */
#define KIT_FILE_SHARDS 4u         /* lists of free slots, of a session; each thread keeps to one */
#define KIT_FILE_CHUNKS 14u        /* slots 0 to 7, 8 to 15, 16 to 31, ... */

struct kit_file_slot {
	_Atomic uint64_t state;     /* [a] generation << 32 | LIVE | users: S1 */
	_Atomic uint64_t badge;     /* [a] S2 */
	_Atomic uint32_t next_free; /* [a] */
	uint32_t index;             /* [I] */
	uint64_t file[];            /* the server's */
};

struct kit_free_slots {
	_Atomic uint64_t head;  /* [a] the first one's index; above it, how often the list has changed */
	_Atomic uint32_t apart; /* [a] 1 + the index of one more, which comes and goes without the list; 0: none */
} ALIGNED(64);

struct kit_session {
	_Atomic uint64_t badge;        /* [a] whose it is; SESSION_UNUSED when free */
	_Atomic bool ended;            /* [a] */
	_Atomic uint32_t slot_count;   /* [a] grows under [s] */
	_Atomic uintptr_t chunk[KIT_FILE_CHUNKS]; /* [a] where its slot 0 would be; 0: not there yet */
	pthread_mutex_t lock;
	uint32_t next_free;            /* [f] */
	struct kit_free_slots free[KIT_FILE_SHARDS];
};

struct kit_files {
	void (*close)(void *file, uint64_t badge, uint64_t number); /* [I] */
	size_t slot_bytes;                                      /* [I] */
	pthread_mutex_t lock;
	struct kit_session *_Atomic sessions[KIT_SESSIONS_MAX]; /* [a] made once, then reused, never freed */
	uint32_t session_count;                                 /* [f] */
	uint32_t first_free;                                    /* [f] */
	uint64_t generation;                                    /* [f] */
};

/* `close` is called once for each file. */
MUST_USE err_t kit_files_init(struct kit_files *files, size_t file_bytes,
		void (*close)(void *file, uint64_t badge, uint64_t number));

/* A new session: its badge. ERR_LIMIT, ERR_NO_MEMORY. */
MUST_USE err_t kit_session_add(struct kit_files *files, uint64_t *badge);
/* Its client is gone: closes all of its files. */
void kit_session_end(struct kit_files *files, uint64_t badge);
/* Closes the files of all sessions: at unmount. Returns how many were open. */
uint32_t kit_files_close_all(struct kit_files *files);
bool kit_files_any_open(struct kit_files *files);

/* Room for an open file, and its number. */
struct kit_new_file {
	void *file;
	uint64_t number;
	struct kit_session *session;
	struct kit_file_slot *slot;
};
/* Nobody finds it until kit_file_ready, which must follow; where its session has
 * ended meanwhile, that closes it.
 * ERR_TOO_MANY, ERR_NO_MEMORY, ERR_BAD_HANDLE (no such session). */
static inline MUST_USE err_t kit_file_add(struct kit_files *files, uint64_t badge, struct kit_new_file *out);
static inline void kit_file_ready(struct kit_files *files, uint64_t badge, const struct kit_new_file *new);
/* The file stays until kit_file_put. ERR_BAD_HANDLE. */
static inline MUST_USE err_t kit_file_get(struct kit_files *files, uint64_t badge, uint64_t number, void **file);
static inline void kit_file_put(struct kit_files *files, uint64_t badge, void *file);
/* ERR_BAD_HANDLE. The number is dead afterwards; the file is closed now or by its last user. */
MUST_USE err_t kit_file_close(struct kit_files *files, uint64_t badge, uint64_t number);

#include "kit/files_inline.h"
