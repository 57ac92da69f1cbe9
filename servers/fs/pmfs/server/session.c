/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - whose a session is, and new sessions. */
#include "fs/pmfs/server/calls.h"

#include <string.h>

#define SESSION_NONE UINT64_MAX

struct session_user session_users[KIT_SESSIONS_MAX];
_Thread_local struct pmfs_user caller;

static err_t session_open(const struct pmfs_user *user, handle_t *session)
{
	uint64_t badge;
	err_t err = kit_session_add(&files, &badge);

	if (err != OK)
		return err;
	struct session_user *place = &session_users[badge % KIT_SESSIONS_MAX];
	atomic_store(&place->badge, SESSION_NONE);
	atomic_thread_fence(memory_order_release);
	place->user = *user;
	atomic_store(&place->badge, badge);
	err = kit_mint(badge, session);
	if (err != OK)
		kit_session_end(&files, badge);
	return err;
}

err_t op_connect(struct kit_call *call, handle_t *session)
{
	(void)call;
	return session_open(&caller, session);
}

err_t op_connect_as(struct kit_call *call, uint32_t user, uint32_t group, const struct fs_groups *groups,
		handle_t *session)
{
	struct pmfs_user next = { .user = user, .group = group, .groups = groups->count };

	(void)call;
	if (groups->count > FS_GROUPS_MAX)
		return ERR_ARGS;
	if (caller.user != 0 && (user != caller.user || group != caller.group || groups->count != 0))
		return ERR_NOT_OWNER;
	memcpy(next.more, &groups->group0, sizeof(next.more));
	return session_open(caller.user != 0 ? &caller : &next, session);
}

err_t op_identity(struct kit_call *call, uint32_t *user, uint32_t *group)
{
	(void)call;
	*user = caller.user;
	*group = caller.group;
	return OK;
}
