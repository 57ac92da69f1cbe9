/* SPDX-License-Identifier: BSD-2-Clause */
/* test_dispatch.c - generated client and server code of `fs`, joined: what goes in comes out, and messages of the wrong
 * shape are refused before the server sees them. door_call() here is a plain call of the dispatch.
 * link: */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <lintel/fs_client.h>
#include <lintel/fs_server.h>
#include <lintel/names.h>

static _Alignas(4096) uint8_t scratch_page[16384];
static const struct fs_ops *serving;
static char seen[FS_PATH_BYTES_MAX + 1], seen_too[FS_PATH_BYTES_MAX + 1];
static uint32_t calls;
static bool seen_in_words;

void *door_scratch(void)
{
	return scratch_page;
}

err_t door_call(handle_t door, uint32_t timeout_us, struct door_message *message)
{
	struct kit_call call;

	(void)door;
	(void)timeout_us;
	memset(&call, 0xee, sizeof(call)); /* no call sees what happened to lie there */
	call.in = *message;
	call.out = (struct door_message){ 0 }; /* as the kit does */
	seen_in_words = message->window[0].length == 0;
	err_t err = fs_dispatch(serving, &call);
	*message = call.out;
	return err;
}

static err_t op_open(struct kit_call *call, uint32_t flags, uint32_t mode, const char *name, uint64_t *file,
					 uint64_t *size,
	uint32_t *type, uint64_t *inode)
{
	(void)call;
	calls++;
	strcpy(seen, name);
	*file = flags;
	*size = mode;
	*type = FS_TYPE_FILE;
	*inode = 1ull << 40;
	return OK;
}

static err_t op_rename(struct kit_call *call, uint32_t flags, const char *from, const char *to)
{
	(void)call;
	calls++;
	strcpy(seen, from);
	strcpy(seen_too, to);
	return flags == 8 ? ERR_EXISTS : OK;
}

static err_t op_stat(struct kit_call *call, uint32_t flags, const char *name, struct fs_stat *st)
{
	(void)call;
	calls++;
	st->inode = flags;
	st->size = strlen(name);
	return name[0] == '!' ? ERR_NOT_FOUND : OK;
}

static err_t op_setattr_path(struct kit_call *call, const char *name, const struct fs_setattr *attr)
{
	(void)call;
	calls++;
	strcpy(seen, name);
	return attr->size == 12345 && attr->mtime == 99 ? OK : ERR_ARGS;
}

static err_t op_read(struct kit_call *call, uint64_t file, uint64_t offset, void *data, size_t data_bytes,
					 uint64_t *done)
{
	(void)call;
	(void)offset;
	calls++;
	if (data_bytes != 0)
		memset(data, (int)file, data_bytes);
	*done = data_bytes;
	return OK;
}

static const struct fs_ops ops = {
	.open = op_open, .rename = op_rename, .stat = op_stat, .setattr_path = op_setattr_path, .read = op_read
};

static int reset(void **state)
{
	(void)state;
	serving = &ops;
	calls = 0;
	memset(scratch_page, 0xcc, sizeof(scratch_page));
	return 0;
}

static void carries_scalars_and_paths(void **state)
{
	(void)state;
	uint64_t file, size, inode;
	uint32_t type;
	char name[FS_PATH_BYTES_MAX + 2];

	for (size_t length = 0; length <= FS_PATH_BYTES_MAX; length += length < 40 ? 1 : 507) {
		memset(name, 'x', length);
		name[length] = '\0';
		assert_int_equal(fs_open(1, 3, 0644, name, &file, &size, &type, &inode), OK);
		assert_string_equal(seen, name);
	}
	assert_int_equal(file, 3);
	assert_int_equal(size, 0644);
	assert_int_equal(type, FS_TYPE_FILE);
	assert_true(inode == 1ull << 40);
	memset(name, 'x', FS_PATH_BYTES_MAX + 1);
	name[FS_PATH_BYTES_MAX + 1] = '\0';
	assert_int_equal(fs_open(1, 3, 0644, name, &file, &size, &type, &inode), ERR_NAME_TOO_LONG);
	assert_int_equal(fs_rename(1, 0, "a/bcdefgh", "i"), OK);
	assert_string_equal(seen, "a/bcdefgh");
	assert_string_equal(seen_too, "i");
	assert_int_equal(fs_rename(1, 8, "a", "b"), ERR_EXISTS);
	assert_true(seen_in_words);
	assert_int_equal(fs_rename(1, 0, "abcdefg", "abcdefghijklmnopqrstuvw"), OK); /* four words, to the last byte */
	assert_true(seen_in_words);
	assert_string_equal(seen, "abcdefg");
	assert_string_equal(seen_too, "abcdefghijklmnopqrstuvw");
	assert_int_equal(fs_rename(1, 0, "abcdefgh", "abcdefghijklmnopqrstuvw"), OK); /* and one more */
	assert_false(seen_in_words);
	assert_string_equal(seen, "abcdefgh");
	assert_string_equal(seen_too, "abcdefghijklmnopqrstuvw");
}

/* A path that ends where the readable memory ends. */
static void reads_no_further_than_its_page(void **state)
{
	(void)state;
	static _Alignas(4096) char pages[2 * 4096];
	uint64_t file, size, inode;
	uint32_t type;

	memset(pages, 'p', sizeof(pages));
	for (size_t length = 0; length <= 23; length++) {
		char *path = pages + 4096 - length - 1;
		path[length] = '\0';
		assert_int_equal(fs_open(1, 3, 0, path, &file, &size, &type, &inode), OK);
		assert_string_equal(seen, path);
		path[length] = 'p';
	}
}

static void carries_structures_and_bulk(void **state)
{
	(void)state;
	struct fs_stat st = { .size = 77 };
	struct fs_setattr attr = { .size = 12345, .mtime = 99 };
	uint8_t buffer[100] = { 0 };
	uint64_t done = 1;

	assert_int_equal(fs_stat(1, 128, "seven77", &st), OK);
	assert_int_equal(st.size, 7);
	assert_int_equal(st.inode, 128);
	assert_int_equal(fs_stat(1, 0, "!", &st), ERR_NOT_FOUND);
	assert_int_equal(st.size, 7); /* results are written only on OK */
	assert_int_equal(fs_setattr_path(1, "f", &attr), OK);
	assert_int_equal(fs_read(1, 42, 0, buffer, 99, &done), OK);
	assert_int_equal(done, 99);
	assert_int_equal(buffer[98], 42);
	assert_int_equal(buffer[99], 0);
	assert_int_equal(fs_read(1, 42, 0, buffer, 0, &done), OK);
	assert_int_equal(done, 0);
	assert_int_equal(fs_read(1, 42, 0, buffer, WINDOW_BYTES_MAX + 1, &done), ERR_ARGS);
	assert_int_equal(fs_close(1, 3), ERR_UNSUPPORTED);
}

/* A well-formed open of "ab" that each case below spoils in one place. */
static struct door_message make_open(void)
{
	const uint32_t length = 2;

	memcpy(scratch_page, &length, sizeof(length));
	memcpy(scratch_page + 8, "ab", 3);
	return (struct door_message){ .word = { FS_INTERFACE << 16 | FS_MESSAGE_open, 1, 2 },
		.window[0] = { scratch_page, 16 } };
}

static void expect_refusal(struct door_message message, err_t expected)
{
	assert_int_equal(door_call(1, 0, &message), expected);
	assert_int_equal(calls, 0);
	for (int i = 0; i < DOOR_WORDS; i++)
		assert_int_equal(message.word[i], 0);
}

static void refuses_wrong_numbers(void **state)
{
	(void)state;
	static const uint64_t words[] = { 0, FS_INTERFACE << 16, FS_INTERFACE << 16 | 0xffff, (FS_INTERFACE + 1) << 16 | 2,
		1ull << 32 | FS_INTERFACE << 16 | FS_MESSAGE_open, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct door_message message = make_open();

		message.word[0] = words[i];
		expect_refusal(message, ERR_BAD_CALL);
	}
	struct door_message message = make_open();
	message.word[1] = 1ull << 32; /* a u32 */
	expect_refusal(message, ERR_BAD_CALL);
}

static void refuses_wrong_scratch(void **state)
{
	(void)state;
	static const uint64_t lengths[] = { 7, 8, 15, 17, 24, WINDOW_WRITE | 8, 4096 };
	struct door_message message;
	uint32_t length;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		message = make_open();
		message.window[0].length = lengths[i];
		expect_refusal(message, ERR_BAD_CALL);
	}
	message = make_open();
	message.window[0].length = 0; /* in words, then; but it does not end there */
	memset(&message.word[3], 'x', 3 * sizeof(uint64_t));
	expect_refusal(message, ERR_BAD_CALL);
	message = make_open();
	message.window[0].base = scratch_page + 4;
	expect_refusal(message, ERR_BAD_CALL);
	message = make_open();
	memcpy(scratch_page + 8, "a", 2); /* a NUL inside */
	expect_refusal(message, ERR_BAD_CALL);
	for (int i = 0; i < 3; i++) {
		message = make_open();
		length = (uint32_t[]){ FS_PATH_BYTES_MAX + 1, 0x80000000, UINT32_MAX }[i];
		memcpy(scratch_page, &length, sizeof(length));
		expect_refusal(message, ERR_NAME_TOO_LONG);
	}
	message = make_open();
	length = FS_PATH_BYTES_MAX;
	memcpy(scratch_page, &length, sizeof(length));
	expect_refusal(message, ERR_BAD_CALL);
}

static void refuses_read_only_results(void **state)
{
	(void)state;
	struct door_message message = make_open();

	message.word[0] = FS_INTERFACE << 16 | FS_MESSAGE_stat;
	message.window[0].length = 16 + sizeof(struct fs_stat);
	message.word[2] = 0;
	expect_refusal(message, ERR_BAD_CALL);
	message.word[0] = FS_INTERFACE << 16 | FS_MESSAGE_read;
	message.window[1] = (struct door_window){ scratch_page, 64 };
	expect_refusal(message, ERR_BAD_CALL);
}

static void knows_names(void **state)
{
	(void)state;
	assert_string_equal(lintel_error_name(OK), "OK");
	assert_string_equal(lintel_error_name(ERR_INTERNAL), "ERR_INTERNAL");
	assert_string_equal(lintel_error_name(1), "?");
	assert_string_equal(lintel_error_name(INT32_MIN), "?");
	assert_string_equal(lintel_syscall_name(0), "null");
	assert_string_equal(lintel_syscall_name(UINT64_MAX), "?");
	assert_string_equal(lintel_message_name(FS_INTERFACE << 16 | FS_MESSAGE_open), "fs.open");
	assert_string_equal(lintel_message_name(0), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(carries_scalars_and_paths, reset),
		cmocka_unit_test_setup(reads_no_further_than_its_page, reset),
		cmocka_unit_test_setup(carries_structures_and_bulk, reset),
		cmocka_unit_test_setup(refuses_wrong_numbers, reset),
		cmocka_unit_test_setup(refuses_wrong_scratch, reset),
		cmocka_unit_test_setup(refuses_read_only_results, reset),
		cmocka_unit_test_setup(knows_names, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
