/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_shift.c - moving all that lies behind some file block up or down: the tree is made anew (extent_list.h), as
 * every key behind that place is another one. */
#include "extent_list.h"

#include <stdlib.h>

struct shift {
	uint32_t from;    /* all behind it moves up by `blocks` */
	uint32_t blocks;
	bool down;        /* or: [from, from + blocks) goes, and all behind that moves down */
	struct extent_list list; /* of the new tree */
	struct tree_gone *gone;
};

static uint64_t between(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static err_t shift_visit(void *context, const struct pmfs_extent *what, bool leaf)
{
	struct shift *s = context;

	if (!leaf)
		return tree_gone_add(s->gone, what->physical, 1);
	const uint64_t start = what->logical, end = start + what->count;
	const uint64_t first = between(s->from, start, end);
	const uint64_t second = between((uint64_t)s->from + (s->down ? s->blocks : 0), start, end);
	err_t err = extent_list_add(&s->list, what, start, first, start);
	if (err == OK && first < second)
		err = tree_gone_add(s->gone, what->physical + (first - start), second - first);
	const uint64_t place = s->down ? second - s->blocks : second + s->blocks;
	return err == OK ? extent_list_add(&s->list, what, second, end, place) : err;
}

static err_t tree_shift(struct change *c, struct inode *inode, struct shift *s)
{
	struct tree_visitor visitor = { .visit = shift_visit, .context = s };

	*s->gone = (struct tree_gone) { .count = 0 };
	err_t err = tree_walk(c->fs, inode->number, &inode->now, &visitor);
	if (err == OK)
		err = tree_build(c, inode, &s->list);
	if (err == OK)
		tree_gone_count(c, inode, s->gone, 0);
	free(s->list.extent);
	return err;
}

err_t tree_move_up(struct change *c, struct inode *inode, uint32_t from, uint32_t count, struct tree_gone *gone)
{
	return tree_shift(c, inode, &(struct shift) { .from = from, .blocks = count, .gone = gone });
}

err_t tree_move_down(struct change *c, struct inode *inode, uint32_t from, uint32_t count, struct tree_gone *gone)
{
	return tree_shift(c, inode, &(struct shift) { .from = from, .blocks = count, .down = true, .gone = gone });
}
