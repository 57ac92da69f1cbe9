/* SPDX-License-Identifier: BSD-2-Clause */
/* test_memfs.c - memfs's tree and files, with contents in plain memory.
 * link: servers/fs/memfs/tree.c servers/fs/memfs/file.c servers/fs/memfs/store_host.c servers/kit/fs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/memfs/node.h"

static struct node *file_open(struct tree *tree, const char *name, uint32_t flags)
{
	struct node *node;

	assert_int_equal(tree_open(tree, name, flags, 0644, &node), OK);
	return node;
}

static void test_names(void **state)
{
	struct tree tree;
	struct fs_stat st;
	struct node *node;
	uint64_t done, end;
	char buffer[32];

	(void)state;
	assert_int_equal(tree_init(&tree, 1 << 20), OK);
	assert_int_equal(tree_mkdir(&tree, "a", 0755), OK);
	assert_int_equal(tree_mkdir(&tree, "a/b/", 0755), OK);
	assert_int_equal(tree_mkdir(&tree, "a", 0755), ERR_EXISTS);
	assert_int_equal(tree_mkdir(&tree, "x/y", 0755), ERR_NOT_FOUND);
	node = file_open(&tree, "a/b/f", FS_OPEN_CREATE | FS_OPEN_WRITE);
	assert_int_equal(node_write(&tree, node, 5000, false, "hello", 5, &done, &end), OK);
	assert_int_equal(end, 5005);
	assert_int_equal(tree_symlink(&tree, "a/../a/b", "s"), OK);
	assert_int_equal(tree_stat(&tree, "s/f", true, &st), OK);
	assert_int_equal(st.size, 5005);
	assert_int_equal(tree_link(&tree, "s/f", "g"), OK);
	assert_int_equal(tree_remove(&tree, "a/b", true), ERR_NOT_EMPTY);
	assert_int_equal(tree_rename(&tree, "a", "a/b/c", false), ERR_ARGS);
	assert_int_equal(tree_rename(&tree, "a/b", "c", false), OK);
	assert_int_equal(tree_remove(&tree, "c/f", false), OK);
	assert_int_equal(tree_remove(&tree, "g", false), OK);
	assert_int_equal(node_read(node, 4998, buffer, 32, &done), OK);
	assert_int_equal(done, 7);
	assert_memory_equal(buffer, "\0\0hello", 7);
	tree_close(&tree, node);
	assert_int_equal(tree_symlink(&tree, "l2", "l1"), OK);
	assert_int_equal(tree_symlink(&tree, "l1", "l2"), OK);
	assert_int_equal(tree_open(&tree, "l1", 0, 0, &node), ERR_TOO_DEEP);
	assert_int_equal(tree_stat(&tree, "c/../../x", true, &st), ERR_CROSS_DEVICE);
	tree_destroy(&tree);
	assert_int_equal(atomic_load(&tree.nodes), 0);
	assert_int_equal(atomic_load(&tree.used), 0);
}

static void test_readdir_while_removing(void **state)
{
	struct tree tree;
	struct node *dir;
	char name[32], entries[512];
	uint64_t cookie = 0, bytes, next;
	int seen = 0;

	(void)state;
	assert_int_equal(tree_init(&tree, 8 << 20), OK);
	assert_int_equal(tree_mkdir(&tree, "d", 0755), OK);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		tree_close(&tree, file_open(&tree, name, FS_OPEN_CREATE));
	}
	dir = file_open(&tree, "d", FS_OPEN_DIRECTORY);
	for (;; cookie = next) {
		assert_int_equal(tree_readdir(&tree, dir, cookie, entries, sizeof(entries), &bytes, &next), OK);
		for (uint64_t at = 0; at < bytes; seen++) {
			struct fs_dirent entry;
			memcpy(&entry, entries + at, sizeof(entry));
			snprintf(name, sizeof(name), "d/%.*s", entry.name_bytes, entries + at + sizeof(entry));
			assert_int_equal(tree_remove(&tree, name, false), OK);
			at += entry.record_bytes;
		}
		if (next == 0)
			break;
		/* New names come and the table is packed anew, and nothing is seen twice or lost. */
		if (seen < 900) {
			snprintf(name, sizeof(name), "d/temporary-%d", seen);
			tree_close(&tree, file_open(&tree, name, FS_OPEN_CREATE));
			assert_int_equal(tree_remove(&tree, name, false), OK);
		}
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(tree_readdir(&tree, dir, 0, entries, 8, &bytes, &next), OK);
	tree_close(&tree, dir);
	assert_int_equal(tree_remove(&tree, "d", true), OK);
	tree_destroy(&tree);
}

static void test_limit(void **state)
{
	static uint8_t data[200000];
	struct tree tree;
	struct node *node;
	uint64_t done, end;

	(void)state;
	assert_int_equal(tree_init(&tree, 300000), OK);
	node = file_open(&tree, "f", FS_OPEN_CREATE | FS_OPEN_WRITE);
	assert_int_equal(node_write(&tree, node, 0, false, data, sizeof(data), &done, &end), OK);
	assert_int_equal(node_write(&tree, node, 0, true, data, sizeof(data), &done, &end), ERR_NO_SPACE);
	struct fs_stat st;
	node_stat(&tree, node, &st);
	assert_int_equal(st.size, sizeof(data));
	assert_int_equal(node_setattr(&tree, node, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 10 }), OK);
	assert_int_equal(node_write(&tree, node, 0, true, data, sizeof(data), &done, &end), OK);
	tree_close(&tree, node);
	tree_destroy(&tree);
	assert_int_equal(atomic_load(&tree.used), 0);
}

/* What is found at once, and goes at once: an entry knows its place, and holes are not much more than entries. */
static void order_check(const struct node *dir)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < dir->order_count; i++) {
		assert_true(i == 0 || dir->order[i - 1].cookie < dir->order[i].cookie);
		if (dir->order[i].entry != NULL) {
			assert_int_equal(dir->order[i].entry->place, i);
			live++;
		}
	}
	assert_int_equal(live, dir->live);
	assert_true(dir->order_count <= 2 * live + 8);
}

static void test_allocate(void **state)
{
	const uint32_t zero = FS_ALLOCATE_ZERO_RANGE, keep = FS_ALLOCATE_KEEP_SIZE, punch = FS_ALLOCATE_PUNCH_HOLE | keep;
	struct tree tree;
	uint64_t done, end;
	char buffer[16];

	(void)state;
	assert_int_equal(tree_init(&tree, 1 << 20), OK);
	assert_int_equal(tree_mkdir(&tree, "d", 0755), OK);
	struct node *node = file_open(&tree, "d", 0);
	assert_int_equal(node_allocate(&tree, node, 0, 0, 1), ERR_IS_DIR);
	tree_close(&tree, node);
	node = file_open(&tree, "f", FS_OPEN_CREATE | FS_OPEN_WRITE);
	const uint64_t empty = atomic_load(&tree.used);
	assert_int_equal(node_write(&tree, node, 0, false, "0123456789", 10, &done, &end), OK);
	assert_int_equal(node_allocate(&tree, node, 0, 2, 3), OK); /* inside: nothing changes */
	assert_int_equal(node_size(node), 10);
	assert_int_equal(node_allocate(&tree, node, 0, 8, 5000), OK);
	assert_int_equal(node_size(node), 5008);
	assert_int_equal(atomic_load(&tree.used), empty + 5008);
	assert_int_equal(node_allocate(&tree, node, 0, 0, 2 << 20), ERR_NO_SPACE);
	assert_int_equal(node_size(node), 5008);
	assert_int_equal(node_allocate(&tree, node, punch, 3, 2), OK);
	assert_int_equal(node_allocate(&tree, node, zero | keep, 7, 1 << 19), OK);
	assert_int_equal(node_size(node), 5008);
	assert_int_equal(node_read(node, 0, buffer, 12, &done), OK);
	assert_memory_equal(buffer, "012\0\00056\0\0\0\0\0", 12);
	assert_int_equal(node_allocate(&tree, node, zero, 6, 6000), OK);
	assert_int_equal(node_size(node), 6006);
	assert_int_equal(node_read(node, 4, buffer, 4, &done), OK);
	assert_memory_equal(buffer, "\0005\0\0", 4);
	assert_int_equal(node_allocate(&tree, node, keep, 0, 9000), ERR_UNSUPPORTED);
	assert_int_equal(node_allocate(&tree, node, FS_ALLOCATE_PUNCH_HOLE, 0, 9), ERR_UNSUPPORTED);
	assert_int_equal(node_allocate(&tree, node, FS_ALLOCATE_COLLAPSE_RANGE, 0, 4096), ERR_UNSUPPORTED);
	assert_int_equal(node_allocate(&tree, node, 1u << 31, 0, 9), ERR_UNSUPPORTED);
	assert_int_equal(node_allocate(&tree, node, 0, 0, 0), ERR_ARGS);
	assert_int_equal(node_allocate(&tree, node, 0, MEMFS_FILE_BYTES_MAX, 1), ERR_TOO_BIG);
	assert_int_equal(node_allocate(&tree, node, 0, 1, UINT64_MAX), ERR_TOO_BIG);
	tree_close(&tree, node);
	tree_destroy(&tree);
	assert_int_equal(atomic_load(&tree.used), 0);
}

static void test_removing_in_any_order(void **state)
{
	enum { NAMES = 1000 };
	struct tree tree;
	char name[32];

	(void)state;
	for (int how = 0; how < 3; how++) {
		assert_int_equal(tree_init(&tree, 8 << 20), OK);
		assert_int_equal(tree_mkdir(&tree, "d", 0755), OK);
		struct node *dir = file_open(&tree, "d", FS_OPEN_DIRECTORY);
		for (int i = 0; i < NAMES; i++) {
			snprintf(name, sizeof(name), "d/%d", i);
			tree_close(&tree, file_open(&tree, name, FS_OPEN_CREATE));
		}
		for (int i = 0; i < NAMES; i++) {
			snprintf(name, sizeof(name), "d/%d", how == 0 ? i : how == 1 ? NAMES - 1 - i : i * 7 % NAMES);
			assert_int_equal(tree_remove(&tree, name, false), OK);
			order_check(dir);
		}
		assert_true(dir->order_count <= 8);
		tree_close(&tree, dir);
		tree_destroy(&tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_removing_in_any_order),
		cmocka_unit_test(test_names), cmocka_unit_test(test_readdir_while_removing),
		cmocka_unit_test(test_limit), cmocka_unit_test(test_allocate) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
