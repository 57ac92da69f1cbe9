/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.h - posix_spawn. Attributes are accepted and have no effect: there are no signals, groups or schedulers to set.
 * A descriptor that a child inherits is opened anew by its name, at the parent's offset: the offset is not shared. */
#ifndef LINTEL_SPAWN_H
#define LINTEL_SPAWN_H

#include <sys/cdefs.h>
#include <sys/types.h>

_BEGIN_STD_C

struct spawn_action;

typedef struct {
	struct spawn_action *first;
	struct spawn_action *last;
} posix_spawn_file_actions_t;

typedef struct {
	short flags;
} posix_spawnattr_t;

int posix_spawn(pid_t *__restrict pid, const char *__restrict path,
				const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *__restrict attr,
				char *const argv[], char *const envp[]);
int posix_spawnp(pid_t *__restrict pid, const char *__restrict file,
				 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *__restrict attr,
				 char *const argv[], char *const envp[]);
int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *__restrict actions, int fd,
									 const char *__restrict path, int flags, mode_t mode);
int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int new_fd);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *__restrict actions,
										 const char *__restrict path);
int posix_spawnattr_init(posix_spawnattr_t *attr);
int posix_spawnattr_destroy(posix_spawnattr_t *attr);
int posix_spawnattr_setflags(posix_spawnattr_t *attr, short flags);
int posix_spawnattr_getflags(const posix_spawnattr_t *__restrict attr, short *__restrict flags);

_END_STD_C

#endif
