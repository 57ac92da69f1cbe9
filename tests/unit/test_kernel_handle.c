/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kernel_handle.c - handle tables: narrowing, staleness, growth, moving, clearing, and random operations against a
 * plain model.
 * link: kernel/handle.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/handle.h"
#include "mm/frame.h"

/* ---- what handle.c asks for ---- */

static uint32_t frames, frames_max;
static uint32_t locked;

err_t frame_alloc(struct account *account, paddr_t *out)
{
	(void)account;
	if (frames == frames_max)
		return ERR_NO_MEMORY;
	frames++;
	*out = PADDR(aligned_alloc(4096, 4096));
	__builtin_memset((void *)out->v, 0xa5, 4096);
	return OK;
}
err_t frame_alloc_zeroed(struct account *account, paddr_t *out)
{
	err_t err = frame_alloc(account, out);

	if (err == OK)
		__builtin_memset((void *)out->v, 0, 4096);
	return err;
}
void frame_free(struct account *account, paddr_t frame)
{
	(void)account;
	frames--;
	free((void *)frame.v);
}
void *phys_to_virt(paddr_t physical)
{
	return (void *)physical.v;
}
paddr_t virt_to_phys(const void *address)
{
	return PADDR(address);
}
void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock){ .rank = (uint8_t)rank };
}
void spin_lock(struct spinlock *lock)
{
	(void)lock;
	assert_int_equal(locked++, 0);
}
void spin_unlock(struct spinlock *lock)
{
	(void)lock;
	assert_int_equal(--locked, 0);
}
void object_ref(struct object *object)
{
	object->references++;
}
void object_unref(struct object *object)
{
	assert_int_equal(locked, 0); /* I3 */
	assert_int_not_equal(object->references--, 0);
}
void object_handle_added(struct object *object)
{
	object->handles++;
}
void object_handle_dropped(struct object *object)
{
	assert_int_equal(locked, 0);
	assert_int_not_equal(object->handles--, 0);
}

/* ---- */

static const struct object_class event_class = { .type = OBJECT_EVENT }, vmo_class = { .type = OBJECT_VMO };
static const struct object_class door_class = { .type = OBJECT_DOOR };
static struct object event, vmo, door;
static struct handle_table table;

static int fresh(void **state)
{
	(void)state;
	frames = 0;
	frames_max = UINT32_MAX;
	event = (struct object){ .class = &event_class, .references = 1 };
	vmo = (struct object){ .class = &vmo_class, .references = 1 };
	door = (struct object){ .class = &door_class, .references = 1 };
	return handle_table_init(&table, NULL) == OK ? 0 : -1;
}

static int gone(void **state)
{
	(void)state;
	handle_table_clear(&table);
	handle_table_clear(&table);
	assert_int_equal(frames, 0);
	assert_int_equal(event.references, 1);
	assert_int_equal(event.handles + vmo.handles + door.handles, 0);
	return 0;
}

/* As call_fast_path.h looks a door up, for any 64 bits that a caller may have in rdi. */
static struct object *door_seen(uint64_t rdi)
{
	struct handle_door **pages = handle_table_doors(&table);
	const struct handle_door *found = &pages[rdi >> 8 & 0xff][rdi & 0xff];

	return found->handle == rdi ? found->door : NULL;
}

static void types_and_rights_are_checked(void **state)
{
	struct object *found = NULL;
	uint32_t type, rights;
	handle_t handle;

	(void)state;
	assert_int_equal(handle_add(&table, &event, RIGHT_WAIT | RIGHT_SIGNAL, &handle), OK);
	assert_int_equal(handle_get(&table, handle, OBJECT_EVENT, RIGHT_WAIT, &found), OK);
	assert_ptr_equal(found, &event);
	assert_int_equal(event.references, 3);
	object_unref(found);
	found = NULL;
	assert_int_equal(handle_get(&table, handle, OBJECT_VMO, RIGHT_WAIT, &found), ERR_WRONG_TYPE);
	assert_int_equal(handle_get(&table, handle, OBJECT_EVENT, RIGHT_WAIT | RIGHT_MANAGE, &found), ERR_DENIED);
	assert_null(found);
	assert_int_equal(handle_rights(&table, handle, &type, &rights), OK);
	assert_int_equal(rights, RIGHT_WAIT | RIGHT_SIGNAL);
	assert_int_equal(handle_narrow(rights, RIGHTS_SAME, &type), OK);
	assert_int_equal(type, rights);
	assert_int_equal(handle_narrow(rights, RIGHT_WAIT | RIGHT_READ, &type), ERR_DENIED);
	assert_int_equal(handle_narrow(rights, 1u << 12, &type), ERR_ARGS);
	assert_int_equal(handle_narrow(rights, RIGHTS_SAME | RIGHT_WAIT, &type), ERR_ARGS);
}

static void a_number_comes_back_late_and_never_the_same(void **state)
{
	handle_t first, next;
	struct object *found;

	(void)state;
	assert_int_equal(handle_add(&table, &event, 0, &first), OK);
	assert_int_equal(handle_close(&table, first), OK);
	for (int i = 0; i < 200000; i++) {
		assert_int_equal(handle_add(&table, &event, 0, &next), OK);
		assert_int_not_equal(next, first);
		assert_int_not_equal(next >> HANDLE_INDEX_BITS, 0);
		assert_int_equal(handle_close(&table, next), OK);
	}
	assert_int_equal(handle_get(&table, first, OBJECT_NONE, 0, &found), ERR_BAD_HANDLE);
	assert_int_equal(handle_close(&table, first), ERR_BAD_HANDLE);
}

static void a_table_ends_at_its_limit(void **state)
{
	static handle_t handles[HANDLES_MAX];
	handle_t one_more;

	(void)state;
	for (uint32_t i = 0; i < HANDLES_MAX; i++)
		assert_int_equal(handle_add(&table, &event, 0, &handles[i]), OK);
	assert_int_equal(handle_add(&table, &event, 0, &one_more), ERR_LIMIT);
	assert_int_equal(table.used, HANDLES_MAX);
	assert_int_equal(handle_close(&table, handles[12345]), OK);
	assert_int_equal(handle_add(&table, &event, 0, &one_more), OK);
	assert_int_equal(one_more & 0xffff, handles[12345] & 0xffff);
	assert_int_not_equal(one_more, handles[12345]);
}

static void no_memory_changes_nothing(void **state)
{
	handle_t handles[HANDLE_SLOTS_PER_PAGE], out = 77;

	(void)state;
	frames_max = frames + 3; /* a page of slots and one of doors; then slots, and no doors */
	for (uint32_t i = 0; i < HANDLE_SLOTS_PER_PAGE - 1; i++)
		assert_int_equal(handle_add(&table, &event, 0, &handles[i]), OK);
	assert_int_equal(handle_add(&table, &event, 0, &out), ERR_NO_MEMORY);
	assert_int_equal(out, 77);
	assert_int_equal(table.used, HANDLE_SLOTS_PER_PAGE - 1);
}

static void handles_move_all_or_none(void **state)
{
	handle_t given[2], wrong[2];
	struct handle_moved moved[2];

	(void)state;
	assert_int_equal(handle_add(&table, &event, RIGHT_TRANSFER | RIGHT_WAIT, &given[0]), OK);
	assert_int_equal(handle_add(&table, &vmo, RIGHT_READ, &given[1]), OK);
	assert_int_equal(handle_take(&table, given, 2, moved), ERR_DENIED);
	wrong[0] = wrong[1] = given[0];
	assert_int_equal(handle_take(&table, wrong, 2, moved), ERR_BAD_HANDLE);
	wrong[1] = given[0] ^ 0x10000;
	assert_int_equal(handle_take(&table, wrong, 2, moved), ERR_BAD_HANDLE);
	assert_int_equal(table.used, 2);
	wrong[1] = HANDLE_NONE;
	assert_int_equal(handle_take(&table, wrong, 2, moved), OK);
	assert_int_equal(table.used, 1);
	assert_int_equal(event.handles, 1); /* the move's */
	assert_ptr_equal(moved[0].object, &event);
	assert_null(moved[1].object);
	handle_drop(moved, 2);
	assert_int_equal(event.handles, 0);
}

static void a_cleared_table_takes_nothing(void **state)
{
	struct object *found;
	handle_t handle, again;

	(void)state;
	assert_int_equal(handle_add(&table, &event, 0, &handle), OK);
	handle_table_clear(&table);
	assert_int_equal(event.handles, 0);
	assert_int_equal(handle_add(&table, &event, 0, &again), ERR_BAD_STATE);
	assert_int_equal(handle_get(&table, handle, OBJECT_NONE, 0, &found), ERR_BAD_HANDLE);
	assert_int_equal(handle_close(&table, handle), ERR_BAD_HANDLE);
}

static void doors_are_seen_without_the_lock(void **state)
{
	handle_t handle, other_right, other_type, again;

	(void)state;
	for (uint64_t rdi = 0; rdi <= UINT16_MAX; rdi++) /* an empty table */
		assert_null(door_seen(rdi));
	assert_int_equal(handle_add(&table, &door, RIGHT_CALL | RIGHT_TRANSFER, &handle), OK);
	assert_int_equal(handle_add(&table, &door, RIGHT_WAIT, &other_right), OK);
	assert_int_equal(handle_add(&table, &event, RIGHTS_ALL, &other_type), OK);
	assert_ptr_equal(door_seen(handle), &door);
	assert_null(door_seen(other_right));
	assert_null(door_seen(other_type));
	assert_null(door_seen(HANDLE_NONE));
	assert_null(door_seen(UINT64_MAX));
	assert_null(door_seen(handle | 1ull << 32)); /* a deadline */
	assert_null(door_seen(handle + (1u << HANDLE_INDEX_BITS)));
	assert_int_equal(handle_close(&table, handle), OK);
	assert_null(door_seen(handle));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(handle_add(&table, &door, RIGHT_CALL, &again), OK);
		assert_ptr_equal(door_seen(again), &door);
		assert_null(door_seen(handle));
	}
}

static void random_operations_match_a_model(void **state)
{
	enum { LIVE_MAX = 3000 };
	static struct { handle_t handle; uint32_t rights; struct object *object; } model[LIVE_MAX];
	uint32_t live = 0, seed = 12345;

	(void)state;
	for (int step = 0; step < 300000; step++) {
		struct object *found;
		uint32_t pick;

		seed = seed * 1664525 + 1013904223;
		pick = live ? (seed >> 8) % live : 0;
		switch (seed >> 28) {
		case 0: case 1: case 2: case 3: case 4: case 5: case 6:
			if (live == LIVE_MAX)
				break;
			model[live].object = seed & 1 ? &event : seed & 2 ? &door : &vmo;
			model[live].rights = seed >> 4 & RIGHTS_ALL;
			assert_int_equal(handle_add(&table, model[live].object, model[live].rights, &model[live].handle), OK);
			live++;
			break;
		case 7: case 8: case 9: case 10: case 11: case 12:
			if (live == 0)
				break;
			assert_int_equal(handle_close(&table, model[pick].handle), OK);
			assert_int_equal(handle_close(&table, model[pick].handle), ERR_BAD_HANDLE);
			model[pick] = model[--live];
			break;
		default:
			if (live == 0)
				break;
			assert_int_equal(handle_get(&table, model[pick].handle, OBJECT_NONE, model[pick].rights, &found), OK);
			assert_ptr_equal(found, model[pick].object);
			object_unref(found);
			if (found != &door || !(model[pick].rights & RIGHT_CALL))
				found = NULL;
			assert_ptr_equal(door_seen(model[pick].handle), found);
		}
		assert_int_equal(table.used, live);
		assert_int_equal(event.handles + vmo.handles + door.handles, live);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(types_and_rights_are_checked, fresh, gone),
		cmocka_unit_test_setup_teardown(a_number_comes_back_late_and_never_the_same, fresh, gone),
		cmocka_unit_test_setup_teardown(a_table_ends_at_its_limit, fresh, gone),
		cmocka_unit_test_setup_teardown(no_memory_changes_nothing, fresh, gone),
		cmocka_unit_test_setup_teardown(handles_move_all_or_none, fresh, gone),
		cmocka_unit_test_setup_teardown(a_cleared_table_takes_nothing, fresh, gone),
		cmocka_unit_test_setup_teardown(doors_are_seen_without_the_lock, fresh, gone),
		cmocka_unit_test_setup_teardown(random_operations_match_a_model, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
