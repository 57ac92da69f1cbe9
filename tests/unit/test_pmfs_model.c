/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_model.c - random operations on pmfs and on a model in plain memory, which have to
 * agree; with remounts in between, and with power cuts: at a random fence an image is made as a
 * cut could leave it; it must mount, check, and hold either what was before the operation under
 * way or what is after it.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/pmem_host.h"

#include "fs/pmfs/inode.h"

#define NAMES 24           /* paths that may exist: some in directories */
#define FILE_MAX 40000u
#define DEVICE_BYTES (5ull << 20)

/* Path i. The first six can be directories; the others lie in one of them, or in the root. */
static void path_of(uint32_t i, char out[64])
{
	if (i < 6)
		snprintf(out, 64, "d%u", i);
	else if (i < 18)
		snprintf(out, 64, "d%u/f%u-with-a-name-that-takes-more-than-one-slot-of-a-leaf", i % 6, i);
	else
		snprintf(out, 64, "f%u", i);
}

struct model_file {
	uint32_t links;
	uint32_t size;
	uint8_t *data; /* FILE_MAX bytes */
};

struct model {
	struct {
		uint8_t type; /* 0: not there */
		uint32_t file;
	} name[NAMES];
	struct model_file file[NAMES];
};

static void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < NAMES; i++) {
		m->file[i].data = calloc(1, FILE_MAX);
		assert_non_null(m->file[i].data);
	}
}

static void model_free(struct model *m)
{
	for (uint32_t i = 0; i < NAMES; i++)
		free(m->file[i].data);
}

static void model_copy(struct model *to, const struct model *from)
{
	memcpy(to->name, from->name, sizeof(to->name));
	for (uint32_t i = 0; i < NAMES; i++) {
		to->file[i].links = from->file[i].links;
		to->file[i].size = from->file[i].size;
		memcpy(to->file[i].data, from->file[i].data, FILE_MAX);
	}
}

static bool model_parent_there(const struct model *m, uint32_t i)
{
	return i < 6 || i >= 18 || m->name[i % 6].type == FS_TYPE_DIRECTORY;
}

static bool model_empty(const struct model *m, uint32_t dir)
{
	for (uint32_t i = 6; i < 18; i++)
		if (i % 6 == dir && m->name[i].type != 0)
			return false;
	return true;
}

static uint32_t model_new_file(const struct model *m)
{
	uint32_t i = 0;

	while (m->file[i].links != 0)
		i++;
	return i;
}

static void model_drop(struct model *m, uint32_t name)
{
	if (m->name[name].type == FS_TYPE_FILE && --m->file[m->name[name].file].links == 0) {
		m->file[m->name[name].file].size = 0;
		memset(m->file[m->name[name].file].data, 0, FILE_MAX);
	}
	m->name[name].type = 0;
}

#define ALL_NAMES NAMES

/* Does the file system hold what the model says? All but the file with the name `except`, which is
 * being written. */
static bool model_agrees(struct pmfs *fs, const struct model *m, uint32_t except, char why[200])
{
	static uint8_t back[FILE_MAX];

	for (uint32_t i = 0; i < NAMES; i++) {
		char path[64];
		struct fs_stat st;
		path_of(i, path);
		if (i == except || (except < NAMES && m->name[except].type == FS_TYPE_FILE &&
				m->name[i].type == FS_TYPE_FILE && m->name[i].file == m->name[except].file))
			continue;
		err_t err = pmfs_stat(fs, path, false, &st);
		if (m->name[i].type == 0) {
			if (err == ERR_NOT_FOUND)
				continue;
			snprintf(why, 200, "%s is there (error %d)", path, err);
			return false;
		}
		const struct model_file *file = &m->file[m->name[i].file];
		if (err != OK || st.type != m->name[i].type || (st.type == FS_TYPE_FILE &&
				(st.size != file->size || st.links != file->links))) {
			snprintf(why, 200, "%s: error %d type %u size %llu", path, err, st.type, (unsigned long long)st.size);
			return false;
		}
		if (st.type != FS_TYPE_FILE)
			continue;
		struct inode *inode;
		uint64_t done;
		assert_int_equal(pmfs_open(fs, path, FS_OPEN_READ, 0, &inode), OK);
		assert_int_equal(pmfs_read(fs, inode, 0, back, FILE_MAX, &done), OK);
		pmfs_close(fs, inode);
		if (done != file->size || memcmp(back, file->data, done) != 0) {
			snprintf(why, 200, "%s has other contents", path);
			return false;
		}
	}
	return true;
}

/* --- operations: on the model first, which says what has to come back --- */

static err_t model_write(struct model *m, uint32_t name, uint32_t offset, const uint8_t *data, uint32_t bytes)
{
	if (!model_parent_there(m, name))
		return ERR_NOT_FOUND;
	if (m->name[name].type == FS_TYPE_DIRECTORY)
		return ERR_IS_DIR;
	if (m->name[name].type == 0) {
		m->name[name].file = model_new_file(m);
		m->name[name].type = FS_TYPE_FILE;
		m->file[m->name[name].file].links = 1;
	}
	struct model_file *file = &m->file[m->name[name].file];
	memcpy(file->data + offset, data, bytes);
	if (bytes != 0 && offset + bytes > file->size)
		file->size = offset + bytes;
	return OK;
}

static err_t fs_write_at(struct pmfs *fs, const char *path, uint32_t offset, const uint8_t *data, uint32_t bytes)
{
	struct inode *inode;
	uint64_t done = 0, end;
	err_t err = pmfs_open(fs, path, FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &inode);

	if (err != OK)
		return err;
	err = pmfs_write(fs, inode, offset, false, data, bytes, &done, &end);
	if (err == OK)
		assert_int_equal(done, bytes);
	pmfs_close(fs, inode);
	return err;
}

static err_t model_truncate(struct model *m, uint32_t name, uint32_t size)
{
	if (!model_parent_there(m, name) || m->name[name].type == 0)
		return ERR_NOT_FOUND;
	if (m->name[name].type == FS_TYPE_DIRECTORY)
		return ERR_IS_DIR;
	struct model_file *file = &m->file[m->name[name].file];
	if (size < file->size)
		memset(file->data + size, 0, FILE_MAX - size);
	file->size = size;
	return OK;
}

/* Modes in turn; `bytes` at `offset`, in blocks for those that want them. */
static const uint32_t allocate_modes[] = { 0, FS_ALLOCATE_KEEP_SIZE, FS_ALLOCATE_PUNCH_HOLE | FS_ALLOCATE_KEEP_SIZE,
	FS_ALLOCATE_ZERO_RANGE, FS_ALLOCATE_COLLAPSE_RANGE, FS_ALLOCATE_INSERT_RANGE };

static err_t model_allocate(struct model *m, uint32_t name, uint32_t mode, uint32_t offset, uint32_t bytes)
{
	const uint32_t end = offset + bytes;

	if (!model_parent_there(m, name) || m->name[name].type == 0)
		return ERR_NOT_FOUND;
	if (m->name[name].type == FS_TYPE_DIRECTORY)
		return ERR_IS_DIR;
	struct model_file *file = &m->file[m->name[name].file];
	if (bytes == 0)
		return ERR_ARGS;
	if (mode == FS_ALLOCATE_COLLAPSE_RANGE) {
		if (end >= file->size)
			return ERR_ARGS;
		memmove(file->data + offset, file->data + end, FILE_MAX - end);
		memset(file->data + FILE_MAX - bytes, 0, bytes);
		file->size -= bytes;
	} else if (mode == FS_ALLOCATE_INSERT_RANGE) {
		if (offset >= file->size)
			return ERR_ARGS;
		if (file->size + bytes > FILE_MAX)
			return ERR_UNSUPPORTED; /* more than the model holds */
		memmove(file->data + end, file->data + offset, file->size - offset);
		memset(file->data + offset, 0, bytes);
		file->size += bytes;
	} else {
		if (mode & (FS_ALLOCATE_PUNCH_HOLE | FS_ALLOCATE_ZERO_RANGE))
			memset(file->data + offset, 0, bytes);
		if (!(mode & FS_ALLOCATE_KEEP_SIZE) && end > file->size)
			file->size = end;
	}
	return OK;
}

static err_t fs_allocate_at(struct pmfs *fs, const char *path, uint32_t mode, uint32_t offset, uint32_t bytes)
{
	struct inode *inode;
	err_t err = pmfs_open(fs, path, FS_OPEN_WRITE, 0, &inode);

	if (err != OK)
		return err;
	err = pmfs_allocate(fs, inode, mode, offset, bytes);
	pmfs_close(fs, inode);
	return err;
}

/* A clone of all, or a copy of a range, between files that are there. */
static err_t model_copy_file(struct model *m, uint32_t from, uint32_t to, bool clone, uint32_t offset, uint32_t bytes)
{
	const uint32_t name[2] = { from, to };

	for (int i = 0; i < 2; i++) {
		if (!model_parent_there(m, name[i]) || m->name[name[i]].type == 0)
			return ERR_NOT_FOUND;
		if (m->name[name[i]].type == FS_TYPE_DIRECTORY)
			return ERR_UNSUPPORTED; /* open says other things for reading and writing */
	}
	struct model_file *source = &m->file[m->name[from].file], *target = &m->file[m->name[to].file];
	const uint32_t at = clone ? 0 : offset / 2 & ~4095u; /* in the target */
	if (clone) {
		offset = 0;
		bytes = source->size;
		if (bytes != 0 && (source == target || (bytes % 4096 != 0 && target->size > bytes)))
			return ERR_ARGS;
	} else if (source == target && offset < at + bytes && at < offset + bytes) {
		return ERR_ARGS;
	}
	if (!clone && bytes > FILE_MAX - at)
		return ERR_UNSUPPORTED;
	const uint32_t n = offset >= source->size ? 0 : source->size - offset < bytes ? source->size - offset : bytes;
	memmove(target->data + at, source->data + offset, n);
	if (n != 0 && at + n > target->size)
		target->size = at + n;
	return OK;
}

static err_t fs_copy_file(struct pmfs *fs, const char *a, const char *b, bool clone, uint32_t offset, uint32_t bytes)
{
	struct inode *from, *to;
	uint64_t done;
	err_t err = pmfs_open(fs, a, FS_OPEN_READ, 0, &from);

	if (err != OK)
		return err;
	err = pmfs_open(fs, b, FS_OPEN_WRITE, 0, &to);
	if (err == OK) {
		err = clone ? pmfs_clone(fs, from, 0, to, 0, 0)
				: pmfs_copy(fs, from, offset, to, offset / 2 & ~4095u, bytes, &done);
		pmfs_close(fs, to);
	}
	pmfs_close(fs, from);
	return err;
}

static err_t model_rename(struct model *m, uint32_t from, uint32_t to)
{
	if (!model_parent_there(m, from) || m->name[from].type == 0 || !model_parent_there(m, to))
		return ERR_NOT_FOUND;
	const bool directory = m->name[from].type == FS_TYPE_DIRECTORY;
	if (directory && (to >= 6 || !model_empty(m, from)))
		return ERR_UNSUPPORTED; /* the model does not move trees */
	if (!directory && to < 6)
		return ERR_UNSUPPORTED;
	if (from == to)
		return OK;
	if (directory) {
		if (m->name[to].type == FS_TYPE_DIRECTORY && !model_empty(m, to))
			return ERR_NOT_EMPTY;
		m->name[to] = m->name[from];
		m->name[from].type = 0;
		return OK;
	}
	if (m->name[to].type == FS_TYPE_FILE && m->name[to].file == m->name[from].file)
		return OK;
	model_drop(m, to);
	m->name[to] = m->name[from];
	m->name[from].type = 0;
	return OK;
}

static err_t model_link(struct model *m, uint32_t from, uint32_t to)
{
	if (!model_parent_there(m, from) || m->name[from].type == 0 || !model_parent_there(m, to))
		return ERR_NOT_FOUND;
	if (m->name[from].type == FS_TYPE_DIRECTORY)
		return ERR_DENIED;
	if (m->name[to].type != 0)
		return ERR_EXISTS;
	if (to < 6)
		return ERR_UNSUPPORTED;
	m->name[to] = m->name[from];
	m->file[m->name[to].file].links++;
	return OK;
}

static err_t model_remove(struct model *m, uint32_t name)
{
	if (!model_parent_there(m, name) || m->name[name].type == 0)
		return ERR_NOT_FOUND;
	if (m->name[name].type == FS_TYPE_DIRECTORY && !model_empty(m, name))
		return ERR_NOT_EMPTY;
	model_drop(m, name);
	return OK;
}

#define KIND_ALLOCATE 16u
#define KIND_COPY (KIND_ALLOCATE + sizeof(allocate_modes) / sizeof(allocate_modes[0]))
#define KIND_CLONE (KIND_COPY + 2)
#define KINDS (KIND_CLONE + 3)

struct operation {
	uint32_t kind;
	uint32_t a, b;
	uint32_t offset, bytes;
};

static uint8_t payload[FILE_MAX];

static void operation_choose(struct operation *o, uint64_t *seed)
{
	*o = (struct operation) {
		.kind = (uint32_t)(random_next(seed) >> 33) % KINDS,
		.a = (uint32_t)(random_next(seed) >> 33) % NAMES,
		.b = (uint32_t)(random_next(seed) >> 33) % NAMES,
		.offset = (uint32_t)(random_next(seed) >> 33) % (FILE_MAX / 2),
		.bytes = (uint32_t)(random_next(seed) >> 33) % (FILE_MAX / 2),
	};
	if (random_next(seed) >> 62 == 0)
		o->bytes %= 100;
	if ((o->kind < 6 || o->kind >= KIND_ALLOCATE) && o->a < 6)
		o->a += 18;
	if (o->kind >= KIND_COPY && o->b < 6)
		o->b += 18;
	if (o->kind >= KIND_ALLOCATE + 4 && o->kind < KIND_COPY) { /* what moves, moves by blocks */
		o->offset &= ~4095u;
		o->bytes &= ~4095u;
	} else if (o->kind == KIND_COPY) { /* of the copies, one half begins at blocks */
		o->offset &= ~4095u;
	}
	for (uint32_t i = 0; i < o->bytes; i++)
		payload[i] = (uint8_t)(random_next(seed) >> 40 | 1);
}

/* The model's answer; ERR_UNSUPPORTED: not this time. */
static err_t operation_model(const struct operation *o, struct model *m)
{
	switch (o->kind) {
	case 0: case 1: case 2: case 3:
		return model_write(m, o->a, o->offset, payload, o->bytes);
	case 4: case 5:
		return model_truncate(m, o->a, o->bytes);
	case 6: case 7: case 8:
		return model_rename(m, o->a, o->b);
	case 9:
		return model_link(m, o->a, o->b);
	case 10: case 11:
		return model_remove(m, o->a);
	}
	if (o->kind >= KIND_COPY)
		return model_copy_file(m, o->a, o->b, o->kind >= KIND_CLONE, o->offset, o->bytes);
	if (o->kind >= KIND_ALLOCATE)
		return model_allocate(m, o->a, allocate_modes[o->kind - KIND_ALLOCATE], o->offset, o->bytes);
	if (m->name[o->a % 6].type != 0)
		return ERR_EXISTS;
	m->name[o->a % 6].type = FS_TYPE_DIRECTORY;
	return OK;
}

static err_t operation_fs(const struct operation *o, struct pmfs *fs, const struct model *before)
{
	char a[64], b[64];

	path_of(o->a, a);
	path_of(o->b, b);
	switch (o->kind) {
	case 0: case 1: case 2: case 3:
		return fs_write_at(fs, a, o->offset, payload, o->bytes);
	case 4: case 5:
		return pmfs_setattr_path(fs, a, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = o->bytes });
	case 6: case 7: case 8:
		return pmfs_rename(fs, a, b, false);
	case 9:
		return pmfs_link(fs, a, b);
	case 10: case 11:
		return before->name[o->a].type == FS_TYPE_DIRECTORY ? pmfs_rmdir(fs, a) : pmfs_unlink(fs, a);
	}
	if (o->kind >= KIND_COPY)
		return fs_copy_file(fs, a, b, o->kind >= KIND_CLONE, o->offset, o->bytes);
	if (o->kind >= KIND_ALLOCATE)
		return fs_allocate_at(fs, a, allocate_modes[o->kind - KIND_ALLOCATE], o->offset, o->bytes);
	path_of(o->a % 6, a);
	return pmfs_mkdir(fs, a, 0755);
}

/* --- power cuts --- */

struct cutter {
	struct pm_recorder *recorder;
	uint8_t *image;
	uint64_t seed;
	uint32_t countdown; /* fences until the cut; 0: it has been made */
	bool made;
};

static void at_fence(void *context)
{
	struct cutter *cut = context;

	if (cut->countdown == 0 || --cut->countdown != 0)
		return;
	const uint64_t how = random_next(&cut->seed) >> 61;
	pm_crash_image(cut->recorder, how == 0 ? PM_CRASH_ALL : how == 1 ? PM_CRASH_NONE : PM_CRASH_RANDOM, &cut->seed,
			cut->image);
	cut->made = true;
}

/* The image mounts, is sound, and holds what was before the operation or what is after it. A write
 * may have come half way in the one file that it writes, and its creation is a state of its own;
 * all the other files are as they were. */
static void image_verify(struct cutter *cut, const struct operation *o, const struct model *before,
		const struct model *after, uint64_t step)
{
	char reason[PMFS_REASON_BYTES], why[200] = "", why2[200] = "";
	struct device d = { .base = cut->image, .bytes = DEVICE_BYTES };
	const bool writes = o->kind < 6 || (o->kind >= KIND_ALLOCATE && o->kind < KIND_ALLOCATE + 4);
	err_t err = device_try(&d, false, reason);

	if (err != OK)
		fail_msg("step %llu kind %u: no mount: %s", (unsigned long long)step, o->kind, reason);
	assert_true(pmfs_was_unclean(d.fs));
	if (pmfs_check(d.fs, device_say, NULL) != OK)
		fail_msg("step %llu kind %u: check", (unsigned long long)step, o->kind);
	const bool copies = o->kind >= KIND_COPY && o->kind < KIND_CLONE; /* a clone is all or nothing */
	const uint32_t except = writes ? o->a : copies ? o->b : ALL_NAMES;
	if (!model_agrees(d.fs, before, except, why) && !model_agrees(d.fs, after, except, why2))
		fail_msg("step %llu kind %u: neither old (%s) nor new (%s)", (unsigned long long)step, o->kind, why, why2);
	assert_int_equal(fs_write_at(d.fs, "used-after-the-cut", 3, payload, 5000), OK);
	assert_int_equal(pmfs_unlink(d.fs, "used-after-the-cut"), OK);
	device_check(&d);
	device_unmount(&d);
	device_mount(&d);
	device_unmount(&d);
}

static void run(uint64_t seed, uint32_t steps, bool cuts)
{
	struct device d;
	struct model before, after;
	char why[200];
	struct cutter cut = { .seed = seed ^ 0x1234567 };
	uint32_t verified = 0;

	device_make(&d, DEVICE_BYTES);
	device_mount(&d);
	model_init(&before);
	model_init(&after);
	if (cuts) {
		cut.image = aligned_alloc(4096, DEVICE_BYTES);
		assert_non_null(cut.image);
		cut.recorder = pm_record(&d.fs->pm);
		assert_non_null(cut.recorder);
		pm_record_on_fence(cut.recorder, at_fence, &cut);
	}
	for (uint64_t step = 0; step < steps; step++) {
		struct operation o;
		operation_choose(&o, &seed);
		model_copy(&after, &before);
		const err_t want = operation_model(&o, &after);
		if (want == ERR_UNSUPPORTED)
			continue;
		cut.made = false;
		cut.countdown = cuts ? 1 + (uint32_t)(random_next(&seed) >> 33) % 6 : 0;
		const err_t got = operation_fs(&o, d.fs, &before);
		if (got != want)
			fail_msg("step %llu kind %u %u %u: %d instead of %d", (unsigned long long)step,
					o.kind, o.a, o.b, got, want);
		if (cut.made) {
			image_verify(&cut, &o, &before, &after, step);
			verified++;
		}
		model_copy(&before, &after);
		if (step % 64 == 0 && !model_agrees(d.fs, &before, ALL_NAMES, why))
			fail_msg("step %llu: %s", (unsigned long long)step, why);
		if (!cuts && step % 256 == 255)
			device_remount(&d);
	}
	if (cuts) {
		print_message("%u power cuts\n", verified);
		assert_true(verified > steps / 12);
		pm_record_end(&d.fs->pm);
		free(cut.image);
	}
	if (!model_agrees(d.fs, &before, ALL_NAMES, why))
		fail_msg("at the end: %s", why);
	device_check(&d);
	device_end(&d);
	model_free(&before);
	model_free(&after);
}

static uint32_t times(uint32_t usual)
{
	const char *more = getenv("PMFS_MODEL_TIMES");

	return more != NULL ? usual * (uint32_t)atoi(more) : usual;
}

static void test_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run(seed * 7919, times(3000), false);
}

static void test_power_cuts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run(seed * 104729, times(600), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model), cmocka_unit_test(test_power_cuts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
