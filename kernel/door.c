/* SPDX-License-Identifier: GPL-2.0-only */
/* door.c - doors and badges as objects: making them, handing out their death notices, describing them.
 *
 * A master door names an entry point of a server. A badge is a second object on the same entry that carries one word of
 * the server's choice; clients hold badges. When the last handle on a badge and the last call through it are gone (the
 * latter is found out in retire.c), its object is not freed but queued on the master: door_closed tells the server,
 * once, and then it is freed. */
#include "kernel/door.h"

#include "kernel/cpu.h"
#include "kernel/syscall_handlers.h"
#include "mm/pool.h"

#define MASTER_RIGHTS \
	(RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT | RIGHT_CALL | RIGHT_SERVE)
#define BADGE_RIGHTS (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT | RIGHT_CALL)

static struct pool door_pool;
static struct spinlock doors_lock = SPINLOCK_INIT(LOCK_RANK_OBJECT);
static struct list doors = { &doors, &doors }; /* [D] all of them */

void door_init(void)
{
	pool_init(&door_pool, "door", sizeof(struct door));
}

static void door_free(struct door *door)
{
	spin_lock(&doors_lock);
	list_remove(&door->all_link);
	spin_unlock(&doors_lock);
	object_unref(&door->server->object);
	if (door->master != NULL)
		object_unref(&door->master->object);
	pool_free(&door_pool, door);
}

/* The last reference went; calls may be under way. */
static void door_destroy(struct object *object)
{
	door_retire(container_of(object, struct door, object));
}

void door_is_closed(struct door *door)
{
	struct door *master = door->master;

	if (master == NULL) {
		struct list *link;

		/* No badge that is still in use can be left: each holds a reference on us. */
		while ((link = list_take_first(&door->closed)) != NULL)
			door_free(list_entry(link, struct door, closed_link));
		door_free(door);
		return;
	}
	__atomic_sub_fetch(&master->badges, 1, __ATOMIC_RELAXED);
	if (process_is_ending(door->server)) {
		door_free(door);
		return;
	}
	/* The queue must not keep the master alive, nor must the badge die with it twice: the badge's reference goes now,
	 * and a queued badge is freed by its master at the latest. */
	door->master = NULL;
	spin_lock(&master->lock);
	list_append(&master->closed, &door->closed_link);
	spin_unlock(&master->lock);
	object_signal(&master->object, 0, SIGNAL_BADGE_CLOSED);
	object_unref(&master->object);
}

const struct object_class door_class = {
	.type = OBJECT_DOOR,
	.rights = MASTER_RIGHTS,
	.destroy = door_destroy,
};

static err_t door_alloc(struct process *server, struct door *master, uint64_t entry, const char *name,
			struct door **out)
{
	struct door *door = pool_alloc(&door_pool);

	if (door == NULL)
		return ERR_NO_MEMORY;
	object_init(&door->object, &door_class);
	object_ref(&server->object);
	door->server = server;
	door->serving = server->serving;
	door->entry = entry;
	if (master != NULL)
		object_ref(&master->object);
	door->master = master;
	__builtin_memcpy(door->name, name, sizeof(door->name));
	spin_init(&door->lock, LOCK_RANK_OBJECT);
	list_init(&door->closed);
	list_init(&door->closed_link);
	list_init(&door->all_link);
	spin_lock(&doors_lock);
	list_append(&doors, &door->all_link);
	spin_unlock(&doors_lock);
	*out = door;
	return OK;
}

/* The first door makes the process a serving one: activations, and a root page per CPU. */
static err_t server_prepare(struct process *process)
{
	struct serving *serving;
	err_t err;

	if (__atomic_load_n(&process->serving, __ATOMIC_ACQUIRE) != NULL)
		return OK;
	err = space_make_serving(process->space);
	if (err != OK)
		return err;
	err = serving_create(process, &serving);
	if (err != OK)
		return err;
	spin_lock(&process->lock);
	if (process_is_ending(process)) {
		err = ERR_BAD_STATE; /* it would never be sealed */
	} else if (process->serving == NULL) {
		__atomic_store_n(&process->serving, serving, __ATOMIC_RELEASE);
		serving = NULL;
	}
	spin_unlock(&process->lock);
	if (serving != NULL) /* another thread was first, or it is too late */
		serving_free(serving);
	return err;
}

void door_server_died(struct process *server)
{
	struct list *link;

	struct serving *serving;

	spin_lock(&server->lock); /* if server_prepare was faster it has published, else it sees the end */
	serving = server->serving;
	spin_unlock(&server->lock);
	if (serving != NULL)
		serving_seal(serving);
	spin_lock(&doors_lock);
	list_for_each(link, &doors) {
		struct door *door = list_entry(link, struct door, all_link);

		if (door->server == server)
			object_signal(&door->object, 0, SIGNAL_PEER_DIED);
	}
	spin_unlock(&doors_lock);
}

/* ---- what system_info tells ---- */

static struct door *master_at(uint32_t index) TA_EXCL(doors_lock)
{
	struct list *link;

	list_for_each(link, &doors) {
		struct door *door = list_entry(link, struct door, all_link);

		if (door->master == NULL && list_is_empty(&door->closed_link) && index-- == 0)
			return door;
	}
	return NULL;
}

err_t door_describe(uint32_t index, struct info_door *out)
{
	struct door *door;

	spin_lock(&doors_lock);
	door = master_at(index);
	if (door == NULL) {
		spin_unlock(&doors_lock);
		return ERR_NOT_FOUND;
	}
	*out = (struct info_door){ .server_pid = door->server->pid };
	out->badges = __atomic_load_n(&door->badges, __ATOMIC_RELAXED);
	__builtin_memcpy(out->name, door->name, sizeof(out->name));
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct info_activation there;

		serving_describe(door->serving, i, &there);
		out->calls += there.calls;
		out->activations += there.activations;
		out->activations_busy += there.activations_busy;
		out->waiting += there.waiting;
	}
	spin_unlock(&doors_lock);
	return OK;
}

err_t door_describe_cpu(uint32_t index, uint32_t cpu, struct info_activation *out)
{
	struct door *door;
	err_t err = ERR_NOT_FOUND;

	if (cpu >= cpu_count())
		return ERR_ARGS;
	spin_lock(&doors_lock);
	door = master_at(index);
	if (door != NULL) {
		serving_describe(door->serving, cpu, out);
		err = OK;
	}
	spin_unlock(&doors_lock);
	return err;
}

/* ---- system calls ---- */

static err_t master_get(handle_t handle, struct door **out)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_DOOR, RIGHT_SERVE, &object);

	if (err == OK)
		*out = container_of(object, struct door, object);
	return err;
}

static err_t door_give(struct door *door, uint32_t rights, uint64_t *result)
{
	handle_t handle;
	err_t err = handle_add(&process_here()->handles, &door->object, rights, &handle);

	object_unref(&door->object);
	if (err == OK)
		*result = handle;
	return err;
}

err_t sys_door_create(uint64_t entry, const char __user *name, uint64_t name_length, uint64_t *result)
{
	struct process *server = process_here();
	char text[sizeof(((struct door *)0)->name)] = { 0 };
	struct door *door;
	err_t err;

	if (!address_is_user(entry, 1) || name_length >= sizeof(text))
		return ERR_ARGS;
	err = copy_from_user(text, name, name_length);
	if (err == OK)
		err = server_prepare(server);
	if (err == OK)
		err = door_alloc(server, NULL, entry, text, &door);
	if (err == OK)
		err = door_give(door, MASTER_RIGHTS, result);
	return err;
}

err_t sys_door_mint(handle_t handle, uint64_t badge, uint64_t *result)
{
	struct door *master, *door;
	err_t err = master_get(handle, &master);

	if (err != OK)
		return err;
	err = door_alloc(master->server, master, master->entry, master->name, &door);
	if (err == OK) {
		door->badge = badge;
		__atomic_add_fetch(&master->badges, 1, __ATOMIC_RELAXED);
		err = door_give(door, BADGE_RIGHTS, result);
	}
	object_unref(&master->object);
	return err;
}

err_t sys_door_closed(handle_t handle, uint64_t *result)
{
	struct door *master;
	struct list *link;
	err_t err = master_get(handle, &master);

	if (err != OK)
		return err;
	spin_lock(&master->lock);
	link = list_take_first(&master->closed);
	if (list_is_empty(&master->closed))
		object_signal(&master->object, SIGNAL_BADGE_CLOSED, 0);
	spin_unlock(&master->lock);
	if (link != NULL) {
		struct door *door = list_entry(link, struct door, closed_link);

		*result = door->badge;
		door_free(door);
	} else {
		err = ERR_AGAIN;
	}
	object_unref(&master->object);
	return err;
}

err_t sys_door_donate(handle_t handle, uint32_t cpu, uint64_t stack, uint64_t tls)
{
	struct door *master;
	err_t err;

	if (cpu >= cpu_count() || stack % 16 != 0 || !address_is_user(stack - 16, 16) || !address_is_user(tls, 8))
		return ERR_ARGS;
	err = master_get(handle, &master);
	if (err != OK)
		return err;
	if (master->server != process_here()) {
		err = ERR_DENIED; /* a stack of one process is no place for a thread in another */
	} else {
		/* Before it can be used up: who then finds none says so again. And who is not helped by it still waits. */
		object_signal(&master->object, SIGNAL_STARVED, 0);
		err = activation_donate(master->serving, cpu, stack, tls);
		if (serving_waiting(master->serving) != 0)
			object_signal(&master->object, 0, SIGNAL_STARVED);
	}
	object_unref(&master->object);
	return err;
}
