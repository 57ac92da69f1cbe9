/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kit_files.c - sessions and open files: stale numbers, last users, reuse, and all of it by several threads.
 * link: servers/kit/files.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/files.h"

#define THREADS 4
#define ROUNDS 3000u
#define FILES 40u

/* What the files here keep. */
struct open {
	uint64_t badge, number;
};

static _Atomic int closed;
static _Atomic bool wrong; /* in other threads than cmocka's */

static void close_one(void *file, uint64_t badge, uint64_t number)
{
	struct open *open = file;

	if (open->badge != badge || open->number != number)
		atomic_store(&wrong, true);
	open->badge = UINT64_MAX;
	atomic_fetch_add(&closed, 1);
}

static struct kit_files *files_new(void)
{
	struct kit_files *files = malloc(sizeof(*files));

	assert_non_null(files);
	atomic_store(&closed, 0);
	atomic_store(&wrong, false);
	assert_int_equal(kit_files_init(files, sizeof(struct open), close_one), OK);
	return files;
}

static void files_free(struct kit_files *files)
{
	assert_false(atomic_load(&wrong));
	for (uint32_t i = 0; i < KIT_SESSIONS_MAX; i++) {
		struct kit_session *session = atomic_load(&files->sessions[i]);
		if (session == NULL)
			continue;
		for (uint32_t chunk = 0, first = 0; chunk < KIT_FILE_CHUNKS; first = 8u << chunk++)
			if (atomic_load(&session->chunk[chunk]) != 0)
				free((void *)(atomic_load(&session->chunk[chunk]) + first * files->slot_bytes));
		free(session);
	}
	free(files);
}

static err_t add(struct kit_files *files, uint64_t badge, uint64_t *number)
{
	struct kit_new_file new;
	err_t err = kit_file_add(files, badge, &new);

	if (err != OK)
		return err;
	*number = new.number;
	*(struct open *)new.file = (struct open) { .badge = badge, .number = *number };
	kit_file_ready(files, badge, &new);
	return OK;
}

static void test_numbers(void **state)
{
	struct kit_files *files = files_new();
	struct kit_new_file new;
	uint64_t a, b, number, again;
	void *file;

	(void)state;
	assert_int_equal(kit_session_add(files, &a), OK);
	assert_int_equal(kit_session_add(files, &b), OK);
	assert_true(a != b && a != 0 && b != 0);
	assert_int_equal(kit_file_add(files, a, &new), OK);
	number = new.number;
	assert_int_equal(kit_file_get(files, a, number, &file), ERR_BAD_HANDLE); /* not ready */
	assert_int_equal(kit_file_close(files, a, number), ERR_BAD_HANDLE);
	*(struct open *)new.file = (struct open) { .badge = a, .number = number };
	kit_file_ready(files, a, &new);
	assert_int_equal(kit_file_get(files, b, number, &file), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_close(files, b, number), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_get(files, a, number ^ 1ull << 32, &file), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_get(files, a, number | 0xffffffff, &file), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_get(files, a | 0xffff, number, &file), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_get(files, a, number, &file), OK);
	assert_ptr_equal(file, new.file);
	assert_int_equal(kit_file_close(files, a, number), OK);
	assert_int_equal(closed, 0); /* somebody uses it */
	assert_int_equal(kit_file_get(files, a, number, &file), ERR_BAD_HANDLE);
	kit_file_put(files, a, new.file);
	assert_int_equal(closed, 1);
	assert_int_equal(kit_file_close(files, a, number), ERR_BAD_HANDLE);
	assert_int_equal(add(files, a, &again), OK);
	assert_true(again != number);
	assert_int_equal(kit_file_get(files, a, number, &file), ERR_BAD_HANDLE);
	for (int i = 0; i < 100; i++)
		assert_int_equal(add(files, b, &number), OK);
	kit_session_end(files, b);
	assert_int_equal(closed, 101);
	assert_int_equal(add(files, b, &number), ERR_BAD_HANDLE);
	assert_int_equal(kit_session_add(files, &number), OK);
	assert_true(number != b && (number & 0xffff) == (b & 0xffff));
	assert_true(kit_files_any_open(files));
	assert_int_equal(kit_files_close_all(files), 1);
	assert_false(kit_files_any_open(files));
	files_free(files);
}

static void test_end_while_used(void **state)
{
	struct kit_files *files = files_new();
	uint64_t a, other, number;
	void *file;

	(void)state;
	assert_int_equal(kit_session_add(files, &a), OK);
	assert_int_equal(add(files, a, &number), OK);
	assert_int_equal(kit_file_get(files, a, number, &file), OK);
	kit_session_end(files, a);
	assert_int_equal(closed, 0);
	assert_int_equal(add(files, a, &other), ERR_BAD_HANDLE); /* it has ended */
	assert_int_equal(kit_session_add(files, &other), OK); /* its place is not free yet */
	assert_true((other & 0xffff) != (a & 0xffff));
	kit_file_put(files, a, file);
	assert_int_equal(closed, 1);
	for (uint32_t i = 0; i < KIT_SESSIONS_MAX + 10; i++) {
		err_t err = kit_session_add(files, &other);
		assert_int_equal(err, i < KIT_SESSIONS_MAX - 2 ? OK : ERR_LIMIT);
	}
	files_free(files);
}

/* A session ends between kit_file_add and kit_file_ready, also when its place is another's meanwhile: the file is
 * closed all the same. */
static void end_before_ready(bool taken)
{
	struct kit_files *files = files_new();
	struct kit_new_file new;
	uint64_t a, b = 0, again;
	void *file;

	assert_int_equal(kit_session_add(files, &a), OK);
	assert_int_equal(kit_file_add(files, a, &new), OK);
	*(struct open *)new.file = (struct open) { .badge = a, .number = new.number };
	kit_session_end(files, a);
	assert_int_equal(closed, 0);
	if (taken)
		assert_int_equal(kit_session_add(files, &b), OK);
	kit_file_ready(files, a, &new);
	assert_int_equal(closed, 1);
	assert_int_equal(kit_file_get(files, a, new.number, &file), ERR_BAD_HANDLE);
	if (!taken)
		assert_int_equal(kit_session_add(files, &b), OK);
	assert_int_equal(b & 0xffff, a & 0xffff); /* the place is free */
	assert_int_equal(add(files, b, &again), OK);
	assert_int_equal(kit_file_get(files, a, again, &file), ERR_BAD_HANDLE); /* another session's file */
	assert_int_equal(kit_file_close(files, a, again), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_close(files, b, again), OK);
	files_free(files);
}

static void test_end_before_ready(void **state)
{
	(void)state;
	end_before_ready(false);
	end_before_ready(true);
}

static void test_many(void **state)
{
	struct kit_files *files = files_new();
	uint64_t *number = calloc(KIT_OPEN_FILES_MAX + 1, sizeof(*number));
	void *file;

	(void)state;
	assert_non_null(number);
	for (uint32_t i = 0; i < KIT_OPEN_FILES_MAX; i++)
		assert_int_equal(add(files, 0, &number[i]), OK);
	assert_int_equal(add(files, 0, &number[KIT_OPEN_FILES_MAX]), ERR_TOO_MANY);
	for (uint32_t i = 0; i < KIT_OPEN_FILES_MAX; i++) {
		assert_int_equal(kit_file_get(files, 0, number[i], &file), OK);
		assert_int_equal(((struct open *)file)->number, number[i]);
		kit_file_put(files, 0, file);
	}
	assert_int_equal(kit_file_close(files, 0, number[77]), OK);
	assert_int_equal(add(files, 0, &number[77]), OK);
	assert_int_equal(kit_files_close_all(files), KIT_OPEN_FILES_MAX);
	assert_int_equal(closed, KIT_OPEN_FILES_MAX + 1);
	free(number);
	files_free(files);
}

/* --- threads --- */

static struct {
	struct kit_files *files;
	_Atomic uint64_t badge;              /* of a session that ends now and then */
	_Atomic uint64_t number[FILES];      /* of files that anybody uses and closes */
	_Atomic int added;
} crowd;

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* Uses, closes and opens: with the badge that is the session's now, or was. */
static void *crowd_work(void *argument)
{
	uint64_t seed = (uintptr_t)argument, number, badge = atomic_load(&crowd.badge);
	void *file;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		_Atomic uint64_t *place = &crowd.number[next_random(&seed) % FILES];
		if (next_random(&seed) % 4 != 0)
			badge = atomic_load(&crowd.badge);
		number = atomic_load(place);
		if (kit_file_get(crowd.files, badge, number, &file) == OK) {
			const struct open *open = file;
			if (open->badge != badge || open->number != number)
				atomic_store(&wrong, true);
			if (next_random(&seed) % 2 == 0 && kit_file_close(crowd.files, badge, number) == OK &&
					kit_file_close(crowd.files, badge, number) == OK)
				atomic_store(&wrong, true);
			kit_file_put(crowd.files, badge, file);
		}
		if (add(crowd.files, badge, &number) != OK)
			continue;
		atomic_fetch_add(&crowd.added, 1);
		number = atomic_exchange(place, number);
		(void)!kit_file_close(crowd.files, badge, number); /* it may be closed already, or another session's */
	}
	return NULL;
}

static void *crowd_end(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < ROUNDS / 10; i++) {
		uint64_t fresh;
		const uint64_t old = atomic_load(&crowd.badge);
		if (kit_session_add(crowd.files, &fresh) != OK)
			atomic_store(&wrong, true);
		atomic_store(&crowd.badge, fresh);
		kit_session_end(crowd.files, old);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t thread[THREADS + 1];
	uint64_t badge;

	(void)state;
	crowd.files = files_new();
	assert_int_equal(kit_session_add(crowd.files, &badge), OK);
	atomic_store(&crowd.badge, badge);
	for (uintptr_t i = 0; i <= THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, i == 0 ? crowd_end : crowd_work, (void *)(i * 77 + 1)), 0);
	for (uint32_t i = 0; i <= THREADS; i++)
		pthread_join(thread[i], NULL);
	kit_session_end(crowd.files, atomic_load(&crowd.badge));
	assert_false(kit_files_any_open(crowd.files));
	assert_int_equal(closed, crowd.added); /* each once */
	for (uint32_t i = 0; i < KIT_SESSIONS_MAX - 1; i++) /* and every place is free again */
		assert_int_equal(kit_session_add(crowd.files, &badge), OK);
	files_free(crowd.files);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers), cmocka_unit_test(test_end_while_used),
		cmocka_unit_test(test_end_before_ready), cmocka_unit_test(test_many), cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
