/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - processes: start, status, kill at any moment, faults, grants, ceilings, chains. The children are a page
 * of machine code each (raw_call.h). */
#include "check.h"
#include "raw_call.h"

#include <lintel/info.h>
#include <pthread.h>

static const uint8_t loop[] = BARE_LOOP, fault[] = BARE_FAULT, invalid[] = BARE_INVALID;
static const uint8_t exit_7[] = BARE_CALL(SYSCALL_process_exit, 7);
static const uint8_t thread_end[] = BARE_CALL(SYSCALL_thread_exit, 0);
static const uint8_t sleeper[] = BARE_CALL(SYSCALL_thread_sleep, -1);
static const uint8_t caller[] = BARE_CALL(SYSCALL_clock_get, 0);

static err_t ended(handle_t process, struct info_process *info)
{
	uint32_t seen;
	err_t err = lintel_object_wait(process, SIGNAL_TERMINATED, IN_10_S, &seen);

	if (err == OK)
		err = lintel_process_info(process, info, sizeof(*info));
	return err;
}

static void an_exit_status_is_kept(void)
{
	struct info_process info;
	handle_t process;

	CHECK_EQUAL(bare_start(exit_7, sizeof(exit_7), &process), OK);
	CHECK_EQUAL(ended(process, &info), OK);
	CHECK_EQUAL(info.exit_status, 7);
	CHECK_EQUAL(info.state, 2);
	CHECK_EQUAL(info.threads, 0);
	CHECK_EQUAL(info.handles, 0);
	CHECK_EQUAL(info.memory_pages, 0);
	CHECK_EQUAL(lintel_process_kill(process, 9), OK); /* the first status stays */
	CHECK_EQUAL(lintel_process_info(process, &info, sizeof(info)), OK);
	CHECK_EQUAL(info.exit_status, 7);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void the_last_thread_ends_the_process(void)
{
	struct info_process info;
	handle_t process;

	CHECK_EQUAL(bare_start(thread_end, sizeof(thread_end), &process), OK);
	CHECK_EQUAL(ended(process, &info), OK);
	CHECK_EQUAL(info.exit_status, 0);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void a_fault_ends_only_its_process(void)
{
	struct info_process info;
	handle_t process;

	CHECK_EQUAL(bare_start(fault, sizeof(fault), &process), OK);
	CHECK_EQUAL(ended(process, &info), OK);
	CHECK(info.exit_status < 0);
	CHECK_EQUAL(lintel_handle_close(process), OK);
	CHECK_EQUAL(bare_start(invalid, sizeof(invalid), &process), OK);
	CHECK_EQUAL(ended(process, &info), OK);
	CHECK(info.exit_status < 0);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void kill_reaches_whatever_it_does(void)
{
	const struct {
		const uint8_t *code;
		size_t bytes;
	} kinds[] = { { loop, sizeof(loop) }, { sleeper, sizeof(sleeper) }, { caller, sizeof(caller) } };

	for (int i = 0; i < 300; i++) {
		struct info_process info;
		handle_t process;

		CHECK_EQUAL(bare_start(kinds[i % 3].code, kinds[i % 3].bytes, &process), OK);
		if (i % 4 != 0) /* else before it ran at all, perhaps */
			(void)!lintel_thread_sleep(now_ns() + (uint64_t)(i * 7919 % 3000) * 1000);
		CHECK_EQUAL(lintel_process_kill(process, i), OK);
		CHECK_EQUAL(ended(process, &info), OK);
		CHECK_EQUAL(info.exit_status, i);
		CHECK_EQUAL(info.memory_pages, 0);
		CHECK_EQUAL(lintel_handle_close(process), OK);
	}
}

static handle_t victim;

static void *kill_it(void *status)
{
	return (void *)(intptr_t)lintel_process_kill(victim, (int32_t)(intptr_t)status);
}

static void many_killers_one_death(void)
{
	for (int round = 0; round < 30; round++) {
		struct info_process info;
		pthread_t threads[3];
		void *result;

		CHECK_EQUAL(bare_start(loop, sizeof(loop), &victim), OK);
		for (intptr_t i = 0; i < 3; i++)
			CHECK_EQUAL(pthread_create(&threads[i], NULL, kill_it, (void *)(i + 1)), 0);
		for (int i = 0; i < 3; i++) {
			pthread_join(threads[i], &result);
			CHECK_EQUAL((intptr_t)result, OK);
		}
		CHECK_EQUAL(ended(victim, &info), OK);
		CHECK(info.exit_status >= 1 && info.exit_status <= 3);
		CHECK_EQUAL(lintel_handle_close(victim), OK);
	}
}

static void a_process_without_handles_runs_on(void)
{
	handle_t process, event, theirs_handle;
	uint64_t theirs;
	uint32_t seen;

	/* It is seen alive by the handle that it holds on its own process. */
	CHECK_EQUAL(lintel_process_create(lintel_process(), "x", 1, 64, &process), OK);
	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_process_grant(process, event, RIGHT_SIGNAL, &theirs), OK);
	theirs_handle = (handle_t)theirs;
	CHECK(theirs_handle != 0);
	CHECK_EQUAL(lintel_process_grant(process, event, RIGHT_MANAGE, &theirs), ERR_DENIED);
	CHECK_EQUAL(lintel_object_wait(process, SIGNAL_TERMINATED, 0, &seen), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_handle_close(process), OK); /* never started: gone, with its handle on the event */
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(bare_start(loop, sizeof(loop), &process), OK);
	CHECK_EQUAL(lintel_handle_duplicate(process, RIGHTS_SAME, &victim), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
	CHECK_EQUAL(lintel_object_wait(victim, SIGNAL_TERMINATED, now_ns() + MILLISECONDS(5), &seen), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_process_kill(victim, 1), OK);
	CHECK_EQUAL(lintel_handle_close(victim), OK);
}

static void states_are_respected(void)
{
	handle_t process, thread, second, event;
	uint64_t theirs;
	uint32_t seen;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(bare_create(loop, sizeof(loop), &process, &thread), OK);
	CHECK_EQUAL(lintel_thread_start(thread, BARE_CODE, 0, 0, 0), ERR_BAD_STATE); /* process_start is the first */
	CHECK_EQUAL(lintel_process_start(lintel_process(), thread, BARE_CODE, 0, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_process_start(process, thread, 0xffff800000000000, 0, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_process_start(process, thread, BARE_CODE, 0, 0), OK);
	CHECK_EQUAL(lintel_process_start(process, thread, BARE_CODE, 0, 0), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_process_grant(process, event, RIGHTS_SAME, &theirs), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_thread_create(process, "2", 1, &second), OK);
	CHECK_EQUAL(lintel_thread_start(second, BARE_CODE, 0, 0, 0), OK);
	CHECK_EQUAL(lintel_process_kill(process, 1), OK);
	CHECK_EQUAL(lintel_object_wait(second, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
	CHECK_EQUAL(lintel_object_wait(thread, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
	CHECK_EQUAL(lintel_object_wait(process, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
	CHECK_EQUAL(lintel_handle_close(second), OK);
	CHECK_EQUAL(lintel_thread_create(process, "3", 1, &second), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_space_unmap(process, BARE_CODE, PAGE_SIZE), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_handle_close(thread), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
	CHECK_EQUAL(lintel_handle_close(event), OK);
}

static void a_ceiling_holds_for_children_too(void)
{
	handle_t parent, child, vmo;
	err_t err;

	err = lintel_process_create(lintel_process(), "tiny", 4, 0, &parent);
	CHECK(err == ERR_LIMIT);
	CHECK_EQUAL(lintel_process_create(lintel_process(), "small", 5, 40, &parent), OK);
	err = lintel_process_create(parent, "child", 5, UINT64_MAX, &child);
	if (err == OK) {
		handle_t threads[16];
		uint32_t made = 0;

		while (made < 16 && lintel_thread_create(child, "t", 1, &threads[made]) == OK)
			made++;
		CHECK(made < 16); /* 16 kernel stacks are more than 40 pages */
		while (made > 0)
			CHECK_EQUAL(lintel_handle_close(threads[--made]), OK);
		CHECK_EQUAL(lintel_handle_close(child), OK);
	}
	CHECK_EQUAL(lintel_vmo_create(PAGE_SIZE, 0, &vmo), OK);
	CHECK_EQUAL(lintel_handle_close(vmo), OK);
	CHECK_EQUAL(lintel_handle_close(parent), OK);
}

/* Each holds the only handle on the next: closing the first ends all, without a kernel stack for each. */
static void a_long_chain_falls_at_once(void)
{
	const int length = 400;
	handle_t first, last, next;
	uint64_t theirs;

	CHECK_EQUAL(lintel_process_create(lintel_process(), "0", 1, UINT64_MAX, &first), OK);
	last = first;
	for (int i = 1; i < length; i++) {
		CHECK_EQUAL(lintel_process_create(lintel_process(), "n", 1, UINT64_MAX, &next), OK);
		CHECK_EQUAL(lintel_process_grant(last, next, RIGHTS_SAME, &theirs), OK);
		if (last != first)
			CHECK_EQUAL(lintel_handle_close(last), OK);
		last = next;
	}
	CHECK_EQUAL(lintel_handle_close(last), OK);
	CHECK_EQUAL(lintel_handle_close(first), OK);
}

static void grants_go_in_order(void)
{
	struct grant_item items[3] = { { .rights = RIGHTS_SAME }, { .rights = RIGHTS_SAME }, { .rights = RIGHT_WAIT } };
	struct info_process info;
	handle_t process, event, kept;
	uint64_t copy;

	CHECK_EQUAL(lintel_process_create(lintel_process(), "x", 1, 64, &process), OK);
	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_handle_duplicate(event, RIGHT_WAIT | RIGHT_DUPLICATE, &kept), OK); /* cannot be transferred */
	for (int i = 0; i < 3; i++)
		items[i].handle = event;
	CHECK_EQUAL(lintel_process_grant_many(process, items, 3), OK);
	CHECK(items[0].theirs != items[1].theirs && items[1].theirs != items[2].theirs && items[2].theirs != HANDLE_NONE);
	items[1].handle = kept;
	CHECK_EQUAL(lintel_process_grant_many(process, items, 3), ERR_DENIED);
	CHECK_EQUAL(lintel_process_info(process, &info, sizeof(info)), OK);
	CHECK_EQUAL(info.handles, 4); /* three, and the first of those that were refused */
	items[1].handle = 12345;
	CHECK_EQUAL(lintel_process_grant_many(process, &items[1], 1), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_process_grant_many(process, items, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_process_grant_many(process, items, GRANT_ITEMS_MAX + 1), ERR_ARGS);
	CHECK_EQUAL(lintel_process_grant_many(process, (void *)0x1000, 1), ERR_FAULT);
	CHECK_EQUAL(lintel_process_kill(process, 0), OK);
	CHECK_EQUAL(lintel_process_grant_many(process, items, 1), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_process_grant(process, event, RIGHTS_SAME, &copy), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_handle_close(kept), OK);
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void hostile_arguments_are_refused(void)
{
	struct info_process info;
	handle_t process;

	CHECK_EQUAL(lintel_process_create(lintel_process(), (char *)0x1000, 5, 64, &process), ERR_FAULT);
	CHECK_EQUAL(lintel_process_create(lintel_process(), "x", 32, 64, &process), ERR_ARGS);
	CHECK_EQUAL(lintel_process_create(lintel_process(), "x", UINT64_MAX, 64, &process), ERR_ARGS);
	CHECK_EQUAL(lintel_process_info(lintel_process(), NULL, sizeof(info)), ERR_FAULT);
	CHECK_EQUAL(lintel_process_info(lintel_process(), (void *)0xffff800000000000, sizeof(info)), ERR_FAULT);
	CHECK_EQUAL(lintel_process_info(lintel_process(), (void *)(USER_LIMIT - 1), sizeof(info)), ERR_FAULT);
	CHECK_EQUAL(lintel_process_info(lintel_process(), &info, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_process_info(lintel_process(), &info, UINT64_MAX), OK);
}

int main(void)
{
	CHECK_RUN(an_exit_status_is_kept);
	CHECK_RUN(the_last_thread_ends_the_process);
	CHECK_RUN(a_fault_ends_only_its_process);
	CHECK_RUN(kill_reaches_whatever_it_does);
	CHECK_RUN(many_killers_one_death);
	CHECK_RUN(a_process_without_handles_runs_on);
	CHECK_RUN(states_are_respected);
	CHECK_RUN(a_ceiling_holds_for_children_too);
	CHECK_RUN(a_long_chain_falls_at_once);
	CHECK_RUN(grants_go_in_order);
	CHECK_RUN(hostile_arguments_are_refused);
	return check.failed;
}
