/* SPDX-License-Identifier: BSD-2-Clause */
/* user.c - who this process is. Its file systems know that, by its sessions, and they decide; so they are asked. One
 * that knows of no users does not answer, and without any the process is user 0. Nobody can change who he is: a program
 * gets its user from the one that starts it (lintel_spawn). */
#include <sys/types.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/mount.h"

static struct {
	struct lock lock;
	bool known;
	uint32_t user, group;
} self;

static void self_learn(void)
{
	struct mount *mounts[MOUNTS_MAX];
	uint32_t count = mount_list(mounts);
	handle_t session;

	for (uint32_t i = 0; i < count; i++) {
		if (!self.known && mount_session(mounts[i], &session) == OK)
			self.known = fs_identity(session, &self.user, &self.group) == OK;
		mount_drop(mounts[i]);
	}
}

static uint32_t self_get(const uint32_t *which)
{
	lock_acquire(&self.lock);
	if (!self.known)
		self_learn();
	const uint32_t value = *which;
	lock_release(&self.lock);
	return value;
}

uid_t getuid(void)
{
	return (uid_t)self_get(&self.user);
}

uid_t geteuid(void)
{
	return getuid();
}

gid_t getgid(void)
{
	return (gid_t)self_get(&self.group);
}

gid_t getegid(void)
{
	return getgid();
}
