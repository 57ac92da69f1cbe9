/* SPDX-License-Identifier: BSD-2-Clause */
/* verify.c - one image: it mounts, is sound, holds what was promised, and can be used to the end:
 * every file is appended to, names are made and moved, all is read back, all is deleted, and every
 * block is free again. What recovery leaves decides all that comes after it (journals apart, which nobody reads any
 * more, and whether mount has believed a summary), so that two images that recover to the same are used once. */
#include "engine.h"
#include "clients.h"

#include "fs/pmfs/inode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPENDED 3001u
#define RECOVERY_STATES 6 /* at each fence of a recovery that is cut */

static struct finding found, again;

static void say(void *context, const char *line)
{
	char *why = context;

	if (why[0] == 0)
		snprintf(why, 300, "check: %s", line);
}

bool fs_sound(struct pmfs *fs, char why[400])
{
	char line[300] = "";

	if (pmfs_check(fs, say, line) == OK)
		return true;
	snprintf(why, 400, "%s", line[0] != 0 ? line : "check: no memory");
	return false;
}

static bool full_is_well(const struct verify *v, err_t err)
{
	return err == ERR_NO_SPACE && v->base->may_be_full;
}

static bool not_usable(char why[400], const char *what, const char *path, err_t err)
{
	snprintf(why, 400, "use: %s %.60s: error %d", what, path, err);
	return false;
}

/* Is it the first name of its inode? */
static bool first_name(uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (found.entry[k].st.inode == found.entry[i].st.inode)
			return false;
	return true;
}

/* *more: how much the file has now beyond what was found. */
static err_t append_to(struct pmfs *fs, const char *path, uint32_t serial, uint64_t *more)
{
	const struct call call = { .serial = serial, .bytes = APPENDED };
	uint8_t data[APPENDED];
	struct inode *inode;
	uint64_t end;
	err_t err = pmfs_open(fs, path, FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_NO_FOLLOW, 0600, &inode);

	*more = 0;
	if (err != OK)
		return err;
	call_data(&call, 0, data, APPENDED);
	err = pmfs_write(fs, inode, 0, true, data, APPENDED, more, &end);
	pmfs_close(fs, inode);
	return err;
}

static bool use_files(const struct verify *v, struct pmfs *fs, uint64_t *more, char why[400])
{
	for (uint32_t i = 0; i < found.count; i++) {
		const struct found *f = &found.entry[i];
		more[i] = 0;
		if (f->st.type != FS_TYPE_FILE || f->data == NULL || !first_name(i))
			continue;
		err_t err = append_to(fs, f->path, 0x10000 + i, &more[i]);
		if (err != OK && !full_is_well(v, err))
			return not_usable(why, "append to", f->path, err);
	}
	return true;
}

static bool use_names(const struct verify *v, struct pmfs *fs, char why[400])
{
	uint64_t more;
	err_t err = pmfs_mkdir(fs, "zz", 0700);

	if (err != OK)
		return full_is_well(v, err) || not_usable(why, "mkdir", "zz", err);
	if ((err = append_to(fs, "zz/new", 0x20000, &more)) != OK)
		return full_is_well(v, err) || not_usable(why, "create", "zz/new", err);
	if ((err = pmfs_rename(fs, "zz/new", "zz/moved", false)) != OK)
		return full_is_well(v, err) || not_usable(why, "rename", "zz/new", err);
	if ((err = pmfs_link(fs, "zz/moved", "zz/link")) != OK)
		return full_is_well(v, err) || not_usable(why, "link", "zz/moved", err);
	if ((err = pmfs_rename(fs, "zz/link", "zz/moved", false)) != OK)
		return not_usable(why, "rename to itself", "zz/link", err);
	return true;
}

/* What was there is still there, and what was appended to it. */
static bool read_back(struct pmfs *fs, const struct model *m, const uint64_t *more, char why[400])
{
	uint8_t data[APPENDED];

	if (!finding_make(fs, m, &again, why))
		return false;
	for (uint32_t i = 0, k = 0; i < found.count; i++, k++) {
		const struct found *f = &found.entry[i];
		while (k < again.count && strcmp(again.entry[k].path, f->path) != 0)
			k++;
		if (k == again.count)
			return not_usable(why, "lost", f->path, OK);
		const struct found *g = &again.entry[k];
		if (f->data == NULL || g->data == NULL || !first_name(i))
			continue;
		uint64_t at = f->st.size;
		bool same = memcmp(f->data, g->data, at) == 0;
		if (same && more[i] != 0) {
			call_data(&(struct call) { .serial = 0x10000 + i }, 0, data, APPENDED);
			same = at + more[i] <= g->st.size && memcmp(g->data + at, data, more[i]) == 0;
			at += more[i];
		}
		if (!same || at != g->st.size)
			return not_usable(why, "other contents after an append to", f->path, OK);
	}
	return true;
}

/* Names that the model does not follow. */
static err_t delete_below(struct pmfs *fs, const char *path)
{
	uint64_t entries[512], bytes = 0, next;
	char name[2 * MODEL_PATH];
	struct inode *inode;
	err_t err = pmfs_open(fs, path, FS_OPEN_READ | FS_OPEN_DIRECTORY, 0, &inode);

	if (err != OK)
		return err;
	do {
		err = pmfs_readdir(fs, inode, 0, entries, sizeof(entries), &bytes, &next);
		for (uint64_t at = 0; err == OK && at < bytes;) {
			const struct fs_dirent *e = (const void *)((const uint8_t *)entries + at);
			snprintf(name, sizeof(name), "%s/%.*s", path, e->name_bytes, (const char *)(e + 1));
			err = pmfs_unlink(fs, name);
			at += e->record_bytes;
		}
	} while (err == OK && bytes != 0);
	pmfs_close(fs, inode);
	return err;
}

static bool delete_all(struct pmfs *fs, const struct model *m, char why[400])
{
	for (uint32_t i = again.count; i-- > 0;) {
		const struct found *f = &again.entry[i];
		const struct model_node *n = model_find(m, f->path);
		if (n != NULL && n->opaque && n->type == FS_TYPE_DIRECTORY && delete_below(fs, f->path) != OK)
			return not_usable(why, "delete names in", f->path, OK);
		err_t err = f->st.type == FS_TYPE_DIRECTORY ? pmfs_rmdir(fs, f->path) : pmfs_unlink(fs, f->path);
		if (err != OK)
			return not_usable(why, "delete", f->path, err);
	}
	const uint64_t all = fs->super.blocks - fs->super.first_data_block;
	const uint64_t kept = fs->table_inode->now.blocks + fs->root->now.blocks;
	const uint64_t unused = space_count_free(&fs->space) + fs->space.reserve_count;
	uint64_t numbers = 0;
	for (uint32_t i = 0; i < fs->cpus; i++)
		numbers += fs->pool[i].count + (fs->pool[i].spare != NULL);
	if (numbers + PMFS_INODE_ROOT + 1 != atomic_load(&fs->table_blocks) * PMFS_INODES_PER_BLOCK)
		return not_usable(why, "inode numbers are lost", "", OK);
	if (kept + unused == all)
		return true;
	snprintf(why, 400, "use: after deleting everything %llu blocks of %llu are free, %llu are used",
			(unsigned long long)unused, (unsigned long long)all, (unsigned long long)kept);
	return false;
}

static bool remount(const struct verify *v, struct pmfs **fs, char why[400])
{
	char reason[PMFS_REASON_BYTES];
	const uint64_t before = pmfs_blocks_free(*fs) + (*fs)->space.reserve_count;
	err_t err = pmfs_unmount(*fs);

	if (err != OK)
		return not_usable(why, "unmount", "", err);
	err = fs_mount(v->base->cpus, fs, reason);
	if (err != OK) {
		*fs = NULL;
		snprintf(why, 400, "use: mount after a clean end: %s", reason);
		return false;
	}
	if (pmfs_was_unclean(*fs) || pmfs_blocks_free(*fs) + (*fs)->space.reserve_count != before)
		return not_usable(why, "a clean end was not", "", OK);
	return true;
}

static bool image_use(const struct verify *v, struct pmfs **fs, char why[400])
{
	uint64_t more[sizeof(found.entry) / sizeof(found.entry[0])];
	const struct model *m = &v->promise->candidate[0].model;

	count(&counts->uses, 1);
	if (!fs_sound(*fs, why) || !finding_make(*fs, m, &found, why) || !promise_matches(v->promise, &found, why))
		return false;
	if (!use_files(v, *fs, more, why) || !use_names(v, *fs, why) || !read_back(*fs, m, more, why))
		return false;
	if ((v->seed & 7) == 1 && !fs_sound(*fs, why))
		return false;
	if (!delete_all(*fs, m, why) || !fs_sound(*fs, why))
		return false;
	return (v->seed & 15) != 2 || remount(v, fs, why);
}

/* --- power cuts in the middle of the recovery --- */

static struct again_cut {
	struct recorder recorder;
	struct few few;
	bool failed;
	char *why;
} cut;

/* Of kind 0 nothing arrives, of kind 1 all; then some lines, all but one, one alone. */
static void few_put(struct few *few, const struct recorder *r, uint16_t *prefix, uint32_t kind)
{
	const uint32_t one = r->lines != 0 ? (uint32_t)(random_next(&few->seed) % r->lines) : 0;

	for (uint32_t i = 0; i < r->lines; i++) {
		const uint64_t random = random_next(&few->seed);
		const uint16_t stores = r->line[i].stores;
		const uint16_t some = (random & 3) == 1 ? 0 : (random & 3) == 0 ? stores
				: (uint16_t)((random >> 8) % (stores + 1u));
		prefix[i] = kind == 0 ? 0 : kind == 1 ? stores : kind % 4 == 3 ? (i == one ? 0 : stores)
				: kind % 4 == 0 ? (i == one ? stores : 0) : some;
	}
}

bool few_verify(struct few *few, const struct media_hash *hash, char why[400])
{
	struct verify v = *few->verify;

	few->state = hash->data + 7 * hash->journal;
	if (few->only_state != 0 && few->state != few->only_state)
		return true;
	v.cut_again = false;
	v.image = hash->data;
	v.seed = few->seed;
	count(few->counted, 1);
	if (seen_before(SEEN_STATE, mix64(few->state) ^ v.promised))
		return true;
	if (!seen_before(SEEN_IMAGE, few->state))
		count(&counts->images, 1);
	return image_verify(&v, why);
}

bool few_states(struct few *few, struct recorder *r, char why[400])
{
	uint16_t *prefix = malloc((r->lines + 1) * sizeof(*prefix));
	struct media_hash hash = r->durable;
	bool good = true;

	if (prefix == NULL)
		abort();
	states_begin(r);
	for (uint32_t i = 0; i < few->count && good && (i == 0 || r->lines != 0); i++) {
		few_put(few, r, prefix, i);
		state_set(r, prefix, &hash);
		good = few->check(few, &hash, why);
	}
	states_end(r);
	free(prefix);
	return good;
}

static void recovery_fence(void *context)
{
	(void)context;
	if (cut.failed || few_states(&cut.few, &cut.recorder, cut.why))
		return;
	cut.failed = true;
	memmove(cut.why + 16, cut.why, 380);
	memcpy(cut.why, "second cut:     ", 16);
	cut.why[399] = 0;
}

static bool recovery_cut(const struct verify *v, char why[400])
{
	char reason[PMFS_REASON_BYTES];
	const size_t mark = media_mark();
	struct pmfs *fs;

	if (cut.recorder.where == NULL)
		recorder_make(&cut.recorder);
	cut.few = (struct few) { .check = few_verify, .verify = v, .seed = v->seed, .count = RECOVERY_STATES,
		.counted = &counts->recoveries };
	cut.failed = false;
	cut.why = why;
	cut.recorder.durable = (struct media_hash) { v->image, 0 };
	cut.recorder.on_fence = recovery_fence;
	media_record(&cut.recorder);
	err_t err = fs_mount(v->base->cpus, &fs, reason);
	if (!cut.failed && err == OK && cut.recorder.lines != 0) {
		snprintf(why, 400, "the mount has come back before what it wrote is durable (byte %x)",
				cut.recorder.line[0].index * PMEM_LINE);
		cut.failed = true;
	}
	media_record(NULL);
	if (err == OK)
		pmfs_abandon(fs);
	media_undo(mark);
	return !cut.failed;
}

bool image_verify(const struct verify *v, char why[400])
{
	char reason[PMFS_REASON_BYTES];
	const size_t mark = media_mark();
	const uint64_t now = clock_get(); /* what is looked at must not change what comes after it */
	struct pmfs *fs = NULL;
	bool good = true;

	why[0] = 0;
	if (v->cut_again && !recovery_cut(v, why)) {
		clock_set(now);
		return false;
	}
	count(&counts->mounts, 1);
	media_changes_begin();
	err_t err = fs_mount(v->base->cpus, &fs, reason);
	const struct media_hash change = media_changes_end();
	if (err != OK) {
		snprintf(why, 400, "mount: %s", reason);
		fs = NULL;
		good = false;
	} else if (v->image == 0 ||
			!seen_before(SEEN_RECOVERED, mix64(v->image + change.data + pmfs_was_scanned(fs)) ^ v->promised)) {
		good = image_use(v, &fs, why);
	}
	if (fs != NULL)
		pmfs_abandon(fs);
	media_undo(mark);
	clock_set(now);
	return good;
}
