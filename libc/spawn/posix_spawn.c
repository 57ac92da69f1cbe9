/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_spawn.c - posix_spawn, its file actions, and waiting for children by number.
 * The actions are applied to a map of descriptors (child's -> parent's) on paper; files that they open are opened here
 * and closed again once the child has its own. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lintel/process.h>

#include "core/sys.h"
#include "posix/file.h"
#include "spawn/children.h"
#include "spawn/inherit.h"

enum action_kind { ACTION_OPEN, ACTION_CLOSE, ACTION_DUP2, ACTION_CHDIR };

struct spawn_action {
	struct spawn_action *next;
	enum action_kind kind;
	int fd, new_fd;
	int flags;
	mode_t mode;
	char path[];
};

/* The child's descriptors while the actions are applied. */
struct fd_plan {
	uint32_t count;
	struct spawn_fd fds[INHERITED_FDS_MAX];
	uint32_t opened_count;
	int opened[INHERITED_FDS_MAX];
	char cwd[PATH_BYTES_MAX + 1];
};

static int add_action(posix_spawn_file_actions_t *actions, const struct spawn_action *action, const char *path)
{
	size_t bytes = strlen(path) + 1;
	struct spawn_action *added = malloc(sizeof(*added) + bytes);

	if (added == NULL)
		return ENOMEM;
	*added = *action;
	memcpy(added->path, path, bytes);
	if (actions->last != NULL)
		actions->last->next = added;
	else
		actions->first = added;
	actions->last = added;
	return 0;
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
	*actions = (posix_spawn_file_actions_t){ NULL, NULL };
	return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
	while (actions->first != NULL) {
		struct spawn_action *action = actions->first;
		actions->first = action->next;
		free(action);
	}
	actions->last = NULL;
	return 0;
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict actions, int fd,
									 const char *restrict path, int flags, mode_t mode)
{
	if (fd < 0 || fd >= FD_MAX)
		return EBADF;
	const struct spawn_action action = { .kind = ACTION_OPEN, .fd = fd, .flags = flags, .mode = mode };

	return add_action(actions, &action, path);
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd)
{
	if (fd < 0 || fd >= FD_MAX)
		return EBADF;
	return add_action(actions, &(const struct spawn_action){ .kind = ACTION_CLOSE, .fd = fd }, "");
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int new_fd)
{
	if (fd < 0 || fd >= FD_MAX || new_fd < 0 || new_fd >= FD_MAX)
		return EBADF;
	return add_action(actions,
					&(const struct spawn_action){ .kind = ACTION_DUP2, .fd = fd, .new_fd = new_fd }, "");
}

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *restrict actions, const char *restrict path)
{
	return add_action(actions, &(const struct spawn_action){ .kind = ACTION_CHDIR }, path);
}

static struct spawn_fd *plan_find(struct fd_plan *plan, int child_fd)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		if (plan->fds[i].child_fd == child_fd)
			return &plan->fds[i];
	}
	return NULL;
}

static void plan_remove(struct fd_plan *plan, int child_fd)
{
	struct spawn_fd *entry = plan_find(plan, child_fd);

	if (entry != NULL)
		*entry = plan->fds[--plan->count];
}

static int plan_set(struct fd_plan *plan, int child_fd, int parent_fd)
{
	plan_remove(plan, child_fd);
	if (plan->count == INHERITED_FDS_MAX)
		return EMFILE;
	plan->fds[plan->count++] = (struct spawn_fd){ .parent_fd = parent_fd, .child_fd = child_fd };
	return 0;
}

static int plan_begin(struct fd_plan *plan)
{
	int error = 0;

	plan->count = plan->opened_count = 0;
	cwd_copy(plan->cwd);
	for (int fd = 0; fd < fd_limit() && error == 0; fd++) {
		if (fd_close_on_exec(fd))
			continue;
		struct file *file = file_get(fd);
		if (file == NULL)
			continue;
		if (file->kind == FILE_REGULAR || file->kind == FILE_CONSOLE)
			error = plan_set(plan, fd, fd);
		file_drop(file);
	}
	return error;
}

static int plan_open(struct fd_plan *plan, const struct spawn_action *action)
{
	char path[PATH_BYTES_MAX + 1];
	bool directory;
	err_t error = path_normalise(plan->cwd, action->path, path, &directory);

	if (error != OK)
		return lintel_errno(error);
	if (plan->opened_count == INHERITED_FDS_MAX)
		return EMFILE;
	int fd = open(path, action->flags | O_CLOEXEC, action->mode);
	if (fd < 0)
		return errno;
	plan->opened[plan->opened_count++] = fd;
	return plan_set(plan, action->fd, fd);
}

static int plan_apply(struct fd_plan *plan, const struct spawn_action *action)
{
	char path[PATH_BYTES_MAX + 1];
	struct spawn_fd *entry;
	bool directory;
	err_t error;

	switch (action->kind) {
	case ACTION_OPEN:
		return plan_open(plan, action);
	case ACTION_CLOSE:
		plan_remove(plan, action->fd);
		return 0;
	case ACTION_DUP2:
		entry = plan_find(plan, action->fd);
		return entry == NULL ? EBADF : plan_set(plan, action->new_fd, entry->parent_fd);
	case ACTION_CHDIR:
		error = path_normalise(plan->cwd, action->path, path, &directory);
		if (error != OK)
			return lintel_errno(error);
		strcpy(plan->cwd, path);
		return 0;
	}
	return EINVAL;
}

static int spawn_planned(pid_t *pid, const char *path, struct fd_plan *plan, char *const argv[], char *const envp[])
{
	static char *const nothing[] = { NULL };
	const struct spawn_request request = {
		.path = path,
		.argv = argv,
		.env = envp != NULL ? envp : nothing,
		.cwd = plan->cwd,
		.fds = plan->fds,
		.fd_count = plan->count,
	};
	handle_t process;
	int number;
	err_t error = lintel_spawn(&request, &process);

	if (error != OK)
		return lintel_errno(error);
	int result = child_add(process, &number);
	if (result == 0 && pid != NULL)
		*pid = number;
	return result;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
				const posix_spawnattr_t *restrict attr, char *const argv[], char *const envp[])
{
	struct fd_plan *plan = malloc(sizeof(*plan));

	(void)attr;
	if (plan == NULL)
		return ENOMEM;
	int error = plan_begin(plan);
	for (const struct spawn_action *action = actions == NULL ? NULL : actions->first; action != NULL && error == 0;
		 action = action->next)
		error = plan_apply(plan, action);
	if (error == 0)
		error = spawn_planned(pid, path, plan, argv, envp);
	for (uint32_t i = 0; i < plan->opened_count; i++)
		close(plan->opened[i]);
	free(plan);
	return error;
}

int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *actions,
				 const posix_spawnattr_t *restrict attr, char *const argv[], char *const envp[])
{
	const char *folders = getenv("PATH");
	char path[PATH_BYTES_MAX + 1];
	size_t bytes = strlen(file);

	if (strchr(file, '/') != NULL)
		return posix_spawn(pid, file, actions, attr, argv, envp);
	for (folders = folders != NULL ? folders : "/boot/bin"; *folders != 0;) {
		size_t folder = strcspn(folders, ":");
		if (folder + 1 + bytes <= PATH_BYTES_MAX) {
			memcpy(path, folders, folder);
			path[folder] = '/';
			strcpy(path + folder + 1, file);
			if (access(path, F_OK) == 0)
				return posix_spawn(pid, path, actions, attr, argv, envp);
		}
		folders += folder + (folders[folder] == ':');
	}
	return ENOENT;
}

int posix_spawnattr_init(posix_spawnattr_t *attr)
{
	attr->flags = 0;
	return 0;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attr)
{
	(void)attr;
	return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *attr, short flags)
{
	attr->flags = flags;
	return 0;
}

int posix_spawnattr_getflags(const posix_spawnattr_t *restrict attr, short *restrict flags)
{
	*flags = attr->flags;
	return 0;
}
