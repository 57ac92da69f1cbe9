/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_allocate.c - blocks without data and data without blocks: which modes there are, what each does at every
 * edge, blocks past the size, trees that move, full devices, and where data and holes are.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/inode.h"

#define MIB (1ull << 20)
#define KEEP FS_ALLOCATE_KEEP_SIZE
#define PUNCH (FS_ALLOCATE_PUNCH_HOLE | FS_ALLOCATE_KEEP_SIZE)
#define ZERO FS_ALLOCATE_ZERO_RANGE
#define COLLAPSE FS_ALLOCATE_COLLAPSE_RANGE
#define INSERT FS_ALLOCATE_INSERT_RANGE
#define B 4096ull
#define SIZE_MAX_BYTES (B * UINT32_MAX)

static struct device d;
static struct inode *file;

static void begin(uint64_t bytes)
{
	device_make(&d, bytes);
	device_mount(&d);
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &file), OK);
}

static void end(void)
{
	pmfs_close(d.fs, file);
	device_check(&d);
	device_remount(&d);
	device_check(&d);
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	device_check(&d);
	device_end(&d);
}

static void put(uint64_t offset, uint64_t bytes)
{
	uint8_t *data = malloc(bytes);
	uint64_t done, after;

	assert_non_null(data);
	for (uint64_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)((offset + i) * 7 / 5 | 1);
	assert_int_equal(pmfs_write(d.fs, file, offset, false, data, bytes, &done, &after), OK);
	assert_int_equal(done, bytes);
	free(data);
}

static err_t allocate(uint32_t mode, uint64_t offset, uint64_t bytes)
{
	return pmfs_allocate(d.fs, file, mode, offset, bytes);
}

static void size_set(uint64_t size)
{
	assert_int_equal(pmfs_setattr(d.fs, file, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = size }), OK);
}

static struct fs_stat stat_of(void)
{
	struct fs_stat st;

	assert_int_equal(pmfs_fstat(d.fs, file, &st), OK);
	return st;
}

/* Is [offset, end) zero, or what put() wrote at `from`, and so on? */
static void expect(uint64_t offset, uint64_t bytes, bool zero, uint64_t from)
{
	uint8_t *data = malloc(bytes);
	uint64_t done;

	assert_non_null(data);
	assert_int_equal(pmfs_read(d.fs, file, offset, data, bytes, &done), OK);
	assert_int_equal(done, bytes);
	for (uint64_t i = 0; i < bytes; i++)
		if (data[i] != (zero ? 0 : (uint8_t)((from + i) * 7 / 5 | 1)))
			fail_msg("byte %llu is %u", (unsigned long long)(offset + i), data[i]);
	free(data);
}

static void expect_seek(uint64_t offset, uint64_t data, uint64_t hole)
{
	uint64_t found = UINT64_MAX;
	err_t err = pmfs_seek(d.fs, file, offset, FS_SEEK_DATA, &found);

	if (err != (data == UINT64_MAX ? ERR_NOT_FOUND : OK) || found != data)
		fail_msg("data from %llu on: %lld, error %d", (unsigned long long)offset, (long long)found, err);
	found = UINT64_MAX;
	err = pmfs_seek(d.fs, file, offset, FS_SEEK_HOLE, &found);
	if (err != (hole == UINT64_MAX ? ERR_NOT_FOUND : OK) || found != hole)
		fail_msg("a hole from %llu on: %lld, error %d", (unsigned long long)offset, (long long)found, err);
}

static void test_refusals(void **state)
{
	(void)state;
	begin(8 * MIB);
	put(0, 3 * B);
	assert_int_equal(allocate(0, 0, 0), ERR_ARGS);
	assert_int_equal(allocate(64, 0, 1), ERR_UNSUPPORTED);
	assert_int_equal(allocate(FS_ALLOCATE_PUNCH_HOLE, 0, 1), ERR_UNSUPPORTED);
	assert_int_equal(allocate(PUNCH | ZERO, 0, 1), ERR_UNSUPPORTED);
	assert_int_equal(allocate(COLLAPSE | KEEP, 0, B), ERR_ARGS);
	assert_int_equal(allocate(INSERT | ZERO, 0, B), ERR_ARGS);
	assert_int_equal(allocate(COLLAPSE, 1, B), ERR_ARGS);
	assert_int_equal(allocate(COLLAPSE, 0, B - 1), ERR_ARGS);
	assert_int_equal(allocate(COLLAPSE, B, 2 * B), ERR_ARGS); /* reaches the end: that is a truncate */
	assert_int_equal(allocate(INSERT, 3 * B, B), ERR_ARGS);
	assert_int_equal(allocate(INSERT, 0, SIZE_MAX_BYTES - 2 * B), ERR_TOO_BIG);
	assert_int_equal(allocate(0, SIZE_MAX_BYTES, 1), ERR_TOO_BIG);
	assert_int_equal(allocate(0, UINT64_MAX, UINT64_MAX), ERR_TOO_BIG);
	assert_int_equal(allocate(PUNCH, 1, UINT64_MAX), ERR_TOO_BIG);
	assert_int_equal(pmfs_allocate(d.fs, d.fs->root, 0, 0, 1), ERR_IS_DIR);
	assert_int_equal(stat_of().size, 3 * B);
	expect(0, 3 * B, false, 0);
	end();
}

static void test_fill(void **state)
{
	(void)state;
	begin(8 * MIB);
	assert_int_equal(allocate(0, 100, 5 * B), OK);
	assert_int_equal(stat_of().size, 100 + 5 * B);
	assert_int_equal(stat_of().blocks, 6 * B);
	expect(0, 100 + 5 * B, true, 0);
	put(B + 10, 100);
	assert_int_equal(allocate(0, 0, 8 * B + 1), OK);
	expect(B + 10, 100, false, B + 10);
	expect(5 * B, 3 * B + 1, true, 0);
	assert_int_equal(stat_of().size, 8 * B + 1);
	assert_int_equal(stat_of().blocks, 9 * B);
	assert_int_equal(allocate(0, 2 * B, 10), OK); /* nothing is missing there */
	assert_int_equal(stat_of().blocks, 9 * B);
	end();
}

/* Blocks past the size stay through writes, a remount and a power cut, and go with a truncate. */
static void test_kept(void **state)
{
	(void)state;
	begin(8 * MIB);
	put(0, 1000);
	assert_int_equal(allocate(KEEP, 0, 10 * B), OK);
	assert_int_equal(stat_of().size, 1000);
	assert_int_equal(stat_of().blocks, 10 * B);
	put(1000, 2 * B);
	put(5 * B + 7, 9);
	assert_int_equal(stat_of().blocks, 10 * B);
	expect(1000 + 2 * B, 3 * B + 7 - 1000, true, 0);
	pmfs_close(d.fs, file);
	device_check(&d);
	device_remount(&d);
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_READ | FS_OPEN_WRITE, 0, &file), OK);
	assert_int_equal(stat_of().blocks, 10 * B);
	pmfs_abandon(d.fs); /* the power goes */
	device_mount(&d);
	assert_true(pmfs_was_unclean(d.fs));
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_READ | FS_OPEN_WRITE, 0, &file), OK);
	assert_int_equal(stat_of().blocks, 10 * B);
	size_set(9 * B + 1);
	expect(5 * B + 16, 4 * B - 15, true, 0);
	assert_int_equal(stat_of().blocks, 10 * B);
	assert_int_equal(allocate(KEEP, 20 * B, B), OK);
	size_set(9 * B + 1);
	assert_int_equal(stat_of().blocks, 10 * B);
	assert_int_equal(allocate(KEEP, 20 * B, B), OK);
	size_set(3 * B);
	assert_int_equal(stat_of().blocks, 3 * B);
	size_set(30 * B);
	expect(3 * B, 27 * B, true, 0);
	assert_int_equal(allocate(KEEP, 28 * B, 4 * B), OK);
	assert_int_equal(allocate(PUNCH, 27 * B, 6 * B), OK); /* also what lies past the size */
	assert_int_equal(stat_of().blocks, 3 * B);
	end();
}

static void test_punch_and_zero(void **state)
{
	static const uint64_t edges[] = { 0, 1, 8, 100, B - 1, B, B + 1, 2 * B - 8, 2 * B, 3 * B, 4 * B - 1, 4 * B + 99,
		4 * B + 100, 5 * B, 7 * B };
	const uint64_t size = 4 * B + 100;

	(void)state;
	begin(8 * MIB);
	for (uint32_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		for (uint32_t k = i + 1; k < sizeof(edges) / sizeof(edges[0]); k++) {
			for (uint32_t zero = 0; zero < 2; zero++) {
				const uint64_t a = edges[i] < size ? edges[i] : size, b = edges[k] < size ? edges[k] : size;
				size_set(0);
				put(0, size);
				assert_int_equal(allocate(zero ? ZERO | KEEP : PUNCH, edges[i], edges[k] - edges[i]), OK);
				assert_int_equal(stat_of().size, size);
				expect(0, a, false, 0);
				expect(a, b - a, true, 0);
				expect(b, size - b, false, b);
				const uint64_t holes = (edges[k] >= size ? 5 : b / B) - (a + B - 1) / B;
				if (!zero && (a + B - 1) / B < (edges[k] >= size ? 5 : b / B))
					assert_int_equal(stat_of().blocks, (5 - holes) * B);
			}
		}
	}
	assert_int_equal(allocate(ZERO, 4 * B, 3 * B), OK);
	assert_int_equal(stat_of().size, 7 * B);
	end();
}

/* Files of every number of extents around the edges of a root, a node and two levels of them. */
static void test_moves(void **state)
{
	static const uint32_t extents[] = { 1, 2, 3, 4, 5, 252, 253, 504, 505, 700 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++) {
		const uint64_t n = extents[i];
		begin(16 * MIB);
		for (uint64_t k = 0; k < n; k++)
			put(2 * k * B, B);
		put(2 * n * B, 50);
		const uint64_t blocks = stat_of().blocks;
		assert_int_equal(allocate(INSERT, n / 2 * 2 * B, 3 * B), OK);
		assert_int_equal(stat_of().size, (2 * n + 3) * B + 50);
		expect(n / 2 * 2 * B, 3 * B, true, 0);
		for (uint64_t k = 0; k < n; k++)
			expect((2 * k + (k >= n / 2 ? 3 : 0)) * B, B, false, 2 * k * B);
		assert_int_equal(allocate(COLLAPSE, n / 2 * 2 * B, 3 * B), OK);
		assert_int_equal(stat_of().size, 2 * n * B + 50);
		for (uint64_t k = 0; k < n; k++)
			expect(2 * k * B, B, false, 2 * k * B);
		expect(2 * n * B, 50, false, 2 * n * B);
		assert_true(stat_of().blocks <= blocks + B);
		assert_int_equal(allocate(COLLAPSE, 0, 2 * n * B), OK); /* all but the end */
		assert_int_equal(stat_of().size, 50);
		assert_int_equal(stat_of().blocks, B);
		expect(0, 50, false, 2 * n * B);
		end();
	}
}

/* A split in the middle of an extent, and back: it is one again. */
static void test_move_within_extent(void **state)
{
	(void)state;
	begin(8 * MIB);
	put(0, 8 * B + 5);
	assert_int_equal(allocate(INSERT, 4 * B, B), OK);
	expect(0, 4 * B, false, 0);
	expect(4 * B, B, true, 0);
	expect(5 * B, 4 * B + 5, false, 4 * B);
	assert_int_equal(allocate(COLLAPSE, 4 * B, B), OK);
	expect(0, 8 * B + 5, false, 0);
	assert_int_equal(file->now.entries, 1);
	assert_int_equal(allocate(COLLAPSE, B, 2 * B), OK);
	expect(B, 5 * B + 5, false, 3 * B);
	assert_int_equal(allocate(KEEP, 10 * B, B), OK); /* what lies past the size moves too */
	assert_int_equal(allocate(INSERT, 0, B), OK);
	size_set(12 * B);
	expect_seek(11 * B, 11 * B, 12 * B);
	end();
}

static void test_full(void **state)
{
	uint64_t before;

	(void)state;
	begin(8 * MIB);
	put(0, 2 * B);
	before = pmfs_blocks_free(d.fs);
	assert_int_equal(allocate(0, 0, 100 * MIB), ERR_NO_SPACE);
	expect(0, 2 * B, false, 0);
	size_set(2 * B);
	assert_int_equal(pmfs_blocks_free(d.fs), before);
	assert_int_equal(allocate(0, 0, (before + 2) * B), OK); /* all there is, in one file */
	assert_int_equal(pmfs_blocks_free(d.fs), 0);
	assert_int_equal(stat_of().size, (before + 2) * B);
	assert_int_equal(allocate(0, stat_of().size, 1), ERR_NO_SPACE);
	for (uint64_t i = 2; i < 200; i += 2) /* needs nodes, of a device that has no room for them */
		assert_int_equal(allocate(PUNCH, i * B, B), OK);
	assert_int_equal(allocate(COLLAPSE, B, B), OK);
	assert_int_equal(allocate(INSERT, B, B), OK);
	expect(0, B, false, 0);
	expect(B, B, true, 0);
	end();
}

static void test_seek(void **state)
{
	(void)state;
	begin(8 * MIB);
	expect_seek(0, UINT64_MAX, UINT64_MAX);
	put(0, 10);
	expect_seek(0, 0, 10);
	expect_seek(9, 9, 10);
	expect_seek(10, UINT64_MAX, UINT64_MAX);
	expect_seek(UINT64_MAX, UINT64_MAX, UINT64_MAX);
	size_set(3 * B);
	expect_seek(B - 1, B - 1, B);
	expect_seek(B, UINT64_MAX, B);
	expect_seek(3 * B - 1, UINT64_MAX, 3 * B - 1);
	put(5 * B + 100, 50);
	expect_seek(B, 5 * B, B);
	expect_seek(5 * B - 1, 5 * B, 5 * B - 1);
	expect_seek(5 * B, 5 * B, 5 * B + 150);
	assert_int_equal(allocate(PUNCH, 0, B), OK);
	expect_seek(0, 5 * B, 0);
	assert_int_equal(allocate(KEEP, 6 * B, 4 * B), OK); /* past the size there is nothing */
	expect_seek(5 * B + 149, 5 * B + 149, 5 * B + 150);
	expect_seek(6 * B, UINT64_MAX, UINT64_MAX);
	put(SIZE_MAX_BYTES - 1, 1); /* the last byte that a file can have */
	assert_int_equal(stat_of().size, SIZE_MAX_BYTES);
	expect_seek(10 * B, SIZE_MAX_BYTES - B, 10 * B);
	expect_seek(SIZE_MAX_BYTES - 1, SIZE_MAX_BYTES - 1, SIZE_MAX_BYTES);
	expect_seek(SIZE_MAX_BYTES, UINT64_MAX, UINT64_MAX);
	assert_int_equal(allocate(INSERT, 0, B), ERR_TOO_BIG);
	assert_int_equal(allocate(COLLAPSE, 0, 5 * B), OK);
	expect_seek(0, 0, 5 * B); /* with the blocks that were kept */
	expect(100, 50, false, 5 * B + 100);
	expect(SIZE_MAX_BYTES - 5 * B - 1, 1, false, SIZE_MAX_BYTES - 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_fill), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_punch_and_zero), cmocka_unit_test(test_moves), cmocka_unit_test(test_move_within_extent),
		cmocka_unit_test(test_full), cmocka_unit_test(test_seek),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
