/* SPDX-License-Identifier: BSD-2-Clause */
/* directory_list.c - what a directory holds, in the order of cookies. For readdir a leaf's order is kept, as a hint. */
#include "directory.h"
#include "leaf.h"

#include <string.h>

static void order_put(struct leaf_order *order, const struct sorted *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		atomic_store_explicit(&order->slot[i], s->key[i] & 63, memory_order_relaxed);
	atomic_store_explicit(&order->count, (uint8_t)s->count, memory_order_relaxed);
}

/* `order` is where to keep it, or NULL. */
static err_t leaf_walk(uint64_t number, const struct leaf_place *at, uint64_t cookie, struct leaf_order *order,
		const struct dir_visitor *visitor, bool *more)
{
	struct sorted s;
	err_t err = leaf_sort(at, leaf_used(NULL, at->leaf), &s);

	if (err != OK)
		return err;
	if (order != NULL)
		order_put(order, &s);
	*more = true;
	for (uint32_t i = 0; i < s.count && *more; i++) {
		const struct pmfs_dirent *entry = sorted_entry(at->leaf, &s, i);
		const uint64_t its = sorted_cookie(&s, i);
		if (its <= cookie)
			continue;
		if (entry->crc != dirent_crc(number, entry) || entry->inode == 0)
			return ERR_CORRUPT;
		*more = visitor->visit(visitor->context, entry, its);
	}
	return OK;
}

err_t dir_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *dir, uint64_t cookie,
		const struct dir_visitor *visitor)
{
	struct leaf_place at;
	bool more = true;
	err_t err;

	for (uint64_t key = cookie >> 8; more && key <= UINT32_MAX; key = at.high) {
		err = leaf_find(fs, NULL, number, dir, (uint32_t)key, &at);
		if (err != OK)
			return err == ERR_NOT_FOUND ? OK : err;
		err = leaf_walk(number, &at, cookie, NULL, visitor, &more);
		if (err != OK)
			return err;
	}
	return OK;
}

static ALWAYS_INLINE uint64_t word_at(const char *text)
{
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return word;
}

/* A name and zeroes, up to a multiple of 8 bytes, one of them zero at least. The bytes before and behind the name are
 * its entry's. */
static void name_put(uint8_t *out, const char *name, size_t bytes)
{
	const uint32_t rest = bytes % 8;
	uint64_t last = 0;

	if (rest != 0) /* the 8 bytes that end where the name does */
		last = word_at(name + bytes - 8) >> (64 - 8 * rest);
	for (; bytes >= 8; bytes -= 8, name += 8, out += 8)
		memcpy(out, name, 8);
	memcpy(out, &last, sizeof(last));
}
_Static_assert(PMFS_DIRENT_BYTES >= 8, "what lies before a name can be read");

#define NAME_SHORT_MAX 15u /* with the zeroes behind it, 16 bytes, which are its entry's own */
_Static_assert(PMFS_DIRENT_BYTES + NAME_SHORT_MAX < PMFS_SLOT_BYTES, "they are");

/* A record of the entry at *to, which moves behind it; false: there is no room before `end`. */
static ALWAYS_INLINE bool record_put(uint8_t **to, const uint8_t *end, const struct pmfs_dirent *entry, uint64_t cookie)
{
	const uint32_t name_bytes = entry->name_bytes, bytes = ((uint32_t)sizeof(struct fs_dirent) + name_bytes + 8) & ~7u;
	const uint16_t sizes[2] = { (uint16_t)bytes, (uint16_t)name_bytes };
	const uint32_t type = entry->type;
	uint8_t *out = *to;

	if (likely((size_t)(end - out) >= sizeof(struct fs_dirent) + 16 && name_bytes - 1 < NAME_SHORT_MAX))
		memcpy(out + sizeof(struct fs_dirent), entry->name, 16); /* the next record lies over what is too much */
	else if (likely((size_t)(end - out) >= bytes))
		name_put(out + sizeof(struct fs_dirent), entry->name, name_bytes);
	else
		return false;
	memcpy(out, &entry->inode, 8);
	memcpy(out + 8, &cookie, 8);
	memcpy(out + 16, &sizes[0], 2);
	memcpy(out + 18, &sizes[1], 2);
	memcpy(out + 20, &type, 4);
	*to = out + bytes;
	return true;
}
_Static_assert(offsetof(struct fs_dirent, record_bytes) == 16 && offsetof(struct fs_dirent, name_bytes) == 18 &&
		offsetof(struct fs_dirent, type) == 20, "as record_put has it");

static bool list_entry(void *context, const struct pmfs_dirent *entry, uint64_t cookie)
{
	struct dir_list *list = context;

	if (!record_put(&list->to, list->end, entry, cookie))
		return !(list->full = true);
	list->next = cookie;
	return true;
}

/* Does the checksum hold? `owner` is ~owner_crc; the CPU has the instruction. */
static ALWAYS_INLINE bool dirent_holds(const struct pmfs_dirent *entry, uint32_t slots, uint32_t owner)
{
	const size_t bytes = slots * PMFS_SLOT_BYTES - sizeof(entry->crc);

	return entry->crc == ~crc32c_steps(owner, (const uint8_t *)&entry->hash, bytes);
}

/* The leaf's entries in that order, if it is the leaf's. Whatever the order says, entries that together fill the used
 * slots are those that there are (the first used slot begins one, and so does the first one behind it), and cookies
 * that rise are sorted. False: it is not, or an entry is bad; nothing has been listed. */
static bool list_in_order(const struct leaf_order *order, const struct leaf_place *at, uint32_t owner, uint64_t cookie,
		struct dir_list *list)
{
	uint64_t last = (uint64_t)at->low << 8, rest = leaf_used(NULL, at->leaf), next = list->next;
	const uint32_t count = atomic_load_explicit(&order->count, memory_order_relaxed);
	const struct pmfs_leaf *leaf = at->leaf;
	const uint8_t *end = list->end;
	uint8_t *to = list->to;

	for (uint32_t i = 0; i < count; i++) {
		const size_t first = atomic_load_explicit(&order->slot[i], memory_order_relaxed) & 63;
		uint64_t mine = 1ull << first;
		if (unlikely((rest & mine) == 0))
			return false;
		const struct pmfs_dirent *entry = (const struct pmfs_dirent *)(const void *)leaf->slot[first];
		if (likely(entry->slots == 1)) {
			if (unlikely(!dirent_holds(entry, 1, owner)))
				return false;
		} else {
			mine = entry_slots(entry, (uint32_t)first);
			if (mine == 0 || (rest & mine) != mine || !dirent_holds(entry, entry->slots, owner))
				return false;
		}
		rest ^= mine;
		const uint64_t its = dirent_cookie(entry);
		if (unlikely(its <= last))
			return false;
		if (likely(its > cookie)) {
			if (unlikely(entry->inode == 0))
				return false;
			if (unlikely(entry->name_bytes - 1u >= NAME_SHORT_MAX) && entry_slots(entry, (uint32_t)first) == 0)
				return false;
			if (unlikely(!record_put(&to, end, entry, its))) {
				next = to != list->to ? last : next;
				cookie = UINT64_MAX; /* no more; but is the rest of the leaf in order? */
			}
		}
		last = its;
	}
	if (unlikely(rest != 0 || last > at->high << 8))
		return false;
	list->full = cookie == UINT64_MAX;
	list->next = list->full || to == list->to ? next : last;
	list->to = to;
	return true;
}

err_t dir_list(struct pmfs *fs, uint64_t number, const struct pmfs_inode *dir, uint64_t cookie, struct dir_list *list)
{
	const struct dir_visitor visitor = { .visit = list_entry, .context = list };
	const bool quickly = __atomic_load_n(&crc32c_by_instruction, __ATOMIC_RELAXED);
	const uint32_t owner = ~owner_crc(number);
	struct leaf_place at;
	bool more;
	err_t err;

	for (uint64_t key = cookie >> 8; !list->full && key <= UINT32_MAX; key = at.high) {
		err = leaf_find(fs, NULL, number, dir, (uint32_t)key, &at);
		if (err != OK)
			return err == ERR_NOT_FOUND ? OK : err;
		struct leaf_order *order = &fs->order[at.block % LEAF_ORDERS];
		if (likely(quickly && list_in_order(order, &at, owner, cookie, list)))
			continue;
		err = leaf_walk(number, &at, cookie, order, &visitor, &more);
		if (err != OK)
			return err;
	}
	return OK;
}

static bool found_one(void *context, const struct pmfs_dirent *entry, uint64_t cookie)
{
	(void)entry;
	(void)cookie;
	*(bool *)context = false;
	return false;
}

err_t dir_empty(const struct inode *dir, bool *empty)
{
	const struct dir_visitor visitor = { .visit = found_one, .context = empty };

	*empty = true;
	return dir_walk(dir->fs, dir->number, &dir->now, 0, &visitor);
}
