/* SPDX-License-Identifier: BSD-2-Clause */
/* rights.c - the matrix: every handle argument of every system call of the ABI (<lintel/call_shapes.h>, made from
 * abi/syscalls.def) with handles that are bad, stale, of each wrong type, and short of each single right. The other
 * arguments are such that the call would go through: so the refusal is the handle's. */
#include "check.h"
#include "raw_call.h"

#include <lintel/call_shapes.h>

static char buffer[4096] __attribute__((aligned(4096)));
static handle_t object[OBJECT_TYPES]; /* one of each type with all its rights; HANDLE_NONE where we have none */
static handle_t stale, pager_vmo;
static uint32_t cases;

#define POINTER (uint64_t)buffer
/* Arguments that are not handles; where a call is not listed they are all 0. */
static const uint64_t good[SYSCALL_COUNT][6] = {
	[SYSCALL_system_info] = { 0, 0, 0, POINTER, 64 },
	[SYSCALL_system_power] = { 0, 99, 0 },
	[SYSCALL_handle_duplicate] = { 0, RIGHTS_SAME },
	[SYSCALL_object_wait] = { 0, SIGNAL_USER_MASK, 0 },
	[SYSCALL_process_create] = { 0, POINTER, 4, 64 },
	[SYSCALL_process_grant] = { 0, 0, RIGHTS_SAME },
	[SYSCALL_process_grant_many] = { 0, POINTER, 1 },
	[SYSCALL_process_start] = { 0, 0, BARE_CODE, BARE_CODE, 0 },
	[SYSCALL_process_info] = { 0, POINTER, 64 },
	[SYSCALL_process_open] = { 0, 1 },
	[SYSCALL_thread_create] = { 0, POINTER, 4 },
	[SYSCALL_thread_start] = { 0, BARE_CODE, BARE_CODE, 0, 0 },
	[SYSCALL_thread_set_affinity] = { 0, 1 },
	[SYSCALL_thread_set_priority] = { 0, 1 },
	[SYSCALL_event_signal] = { 0, 0, 1u << SIGNAL_USER_SHIFT },
	[SYSCALL_vmo_create_pager] = { PAGE_SIZE, 0, 0 },
	[SYSCALL_vmo_create_physical] = { 0, 0xfee00000, PAGE_SIZE, VMO_UNCACHED },
	[SYSCALL_vmo_slice] = { 0, 0, PAGE_SIZE, RIGHT_READ },
	[SYSCALL_vmo_copy] = { 0, 0, PAGE_SIZE, PAGE_SIZE },
	[SYSCALL_vmo_resize] = { 0, PAGE_SIZE },
	[SYSCALL_vmo_read] = { 0, 0, POINTER, 64 },
	[SYSCALL_vmo_write] = { 0, 0, POINTER, 64 },
	[SYSCALL_vmo_supply] = { 0, 0, 0, 0, PAGE_SIZE, RIGHT_READ },
	[SYSCALL_vmo_revoke] = { 0, 0, PAGE_SIZE },
	[SYSCALL_space_map] = { 0, 0, 0, PAGE_SIZE, 0, SPACE_READ },
	[SYSCALL_space_unmap] = { 0, 0x10000000, PAGE_SIZE },
	[SYSCALL_space_protect] = { 0, 0x10000000, PAGE_SIZE, SPACE_READ },
	[SYSCALL_door_mint] = { 0, 1 },
	[SYSCALL_door_donate] = { 0, 0, POINTER, POINTER },
	[SYSCALL_port_read] = { 0, 0x80, 1 },
	[SYSCALL_port_write] = { 0, 0x80, 1, 0 },
	[SYSCALL_port_write_bytes] = { 0, 0x80, POINTER, 1 },
	[SYSCALL_interrupt_create] = { 0, 5, 0 },
	[SYSCALL_resource_create] = { 0, RESOURCE_PORT, 0x80, 1 },
};

/* The rights that the call needs beyond its `handles:` line, from its sentence. */
static uint32_t rights_by_sentence(uint64_t number, int index)
{
	switch (number) {
	case SYSCALL_handle_duplicate:
		return RIGHT_DUPLICATE;
	case SYSCALL_object_wait:
		return RIGHT_WAIT;
	case SYSCALL_process_grant:
		return index == 1 ? RIGHT_TRANSFER : 0;
	case SYSCALL_space_map:
		return index == 1 ? RIGHT_READ : 0;
	default:
		return 0;
	}
}

/* A handle with which the argument is in order, as far as we have one. */
static handle_t fitting(const struct call_shape *shape, int index)
{
	uint8_t type = shape->argument[index].type;

	if (type == OBJECT_VMO && (shape->argument[index].rights & RIGHT_SERVE))
		return pager_vmo;
	return object[type != OBJECT_NONE ? type : OBJECT_EVENT];
}

static void expect(uint64_t number, int index, const uint64_t arguments[6], handle_t handle, err_t wanted)
{
	uint64_t changed[6];
	err_t err;

	memcpy(changed, arguments, sizeof(changed));
	changed[index] = handle;
	err = raw_call(number, changed).err;
	cases++;
	if (err != wanted)
		check_fail("%s, argument %d, handle 0x%x: %d, not %d", call_shapes[number].name, index, handle, err,
			   wanted);
}

static void without_each_right(uint64_t number, int index, const uint64_t arguments[6], handle_t full, uint32_t needed)
{
	uint64_t info;

	if (lintel_handle_info(full, &info) != OK)
		return;
	for (uint32_t bit = 1; bit < RIGHTS_ALL; bit <<= 1) {
		handle_t narrow;

		if (!(needed & bit))
			continue;
		if (lintel_handle_duplicate(full, (uint32_t)(info >> 32) & ~bit, &narrow) != OK)
			continue;
		expect(number, index, arguments, narrow, ERR_DENIED);
		(void)!lintel_handle_close(narrow);
	}
}

static void matrix_of(uint64_t number)
{
	const struct call_shape *shape = &call_shapes[number];
	uint64_t arguments[6];

	memcpy(arguments, good[number], sizeof(arguments));
	for (int i = 0; i < 6; i++)
		if (shape->argument[i].kind == SHAPE_HANDLE)
			arguments[i] = fitting(shape, i);
	for (int i = 0; i < 6; i++) {
		uint32_t type = shape->argument[i].type, needed = shape->argument[i].rights | rights_by_sentence(number, i);
		bool others_good = true;

		if (shape->argument[i].kind != SHAPE_HANDLE)
			continue;
		for (int j = 0; j < i; j++) /* an earlier handle of which we have none would be refused first */
			if (shape->argument[j].kind == SHAPE_HANDLE && arguments[j] == HANDLE_NONE)
				others_good = false;
		if (!others_good)
			continue;
		expect(number, i, arguments, HANDLE_NONE, ERR_BAD_HANDLE);
		expect(number, i, arguments, UINT32_MAX, ERR_BAD_HANDLE);
		expect(number, i, arguments, stale, ERR_BAD_HANDLE);
		for (uint32_t other = 1; other < OBJECT_TYPES; other++)
			if (type != OBJECT_NONE && other != type && object[other] != HANDLE_NONE)
				expect(number, i, arguments, object[other], ERR_WRONG_TYPE);
		without_each_right(number, i, arguments, (handle_t)arguments[i], needed);
	}
}

static void every_call_checks_its_handles(void)
{
	for (uint64_t number = 0; number < SYSCALL_COUNT; number++)
		if (!call_shapes[number].raw)
			matrix_of(number);
	CHECK(cases > 200);
}

static void numbers_past_the_last_are_no_calls(void)
{
	const uint64_t none[6] = { 0 };
	const uint64_t numbers[] = { SYSCALL_COUNT, SYSCALL_COUNT + 1, 255, 65535, UINT32_MAX, 1ull << 32, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		CHECK_EQUAL(raw_call(numbers[i], none).err, ERR_BAD_CALL);
}

static void a_refused_call_gives_no_value(void)
{
	const uint64_t bad[6] = { 0x12345678, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555 };

	for (uint64_t number = 0; number < SYSCALL_COUNT; number++) {
		struct raw_result result;

		if (call_shapes[number].raw || call_shapes[number].argument[0].kind != SHAPE_HANDLE)
			continue;
		result = raw_call(number, bad);
		CHECK(result.err != OK);
		CHECK_EQUAL(result.value, 0);
	}
}

static err_t prepare(void)
{
	static const uint8_t loop[] = BARE_LOOP;
	err_t err = bare_create(loop, sizeof(loop), &object[OBJECT_PROCESS], &object[OBJECT_THREAD]);

	if (err == OK)
		err = lintel_event_create(&stale);
	if (err == OK)
		err = lintel_handle_close(stale);
	if (err == OK)
		err = lintel_event_create(&object[OBJECT_EVENT]);
	if (err == OK)
		err = lintel_vmo_create(PAGE_SIZE, 0, &object[OBJECT_VMO]);
	if (err == OK)
		err = lintel_door_create(BARE_CODE, "rights", 6, &object[OBJECT_DOOR]);
	if (err == OK)
		err = lintel_vmo_create_pager(PAGE_SIZE, object[OBJECT_DOOR], 0, &pager_vmo);
	object[OBJECT_RESOURCE] = lintel_startup_handle(STARTUP_RESOURCE, STARTUP_ANY, 0);
	memcpy(buffer, "name", 4);
	return err;
}

int main(void)
{
	err_t err = prepare();

	if (err != OK) {
		printf("not ok prepare: %d\n", err);
		return 1;
	}
	CHECK_RUN(every_call_checks_its_handles);
	CHECK_RUN(numbers_past_the_last_are_no_calls);
	CHECK_RUN(a_refused_call_gives_no_value);
	return check.failed;
}
