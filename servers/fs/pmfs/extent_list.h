/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_list.h - a tree that is made anew, for changes that concern most of it: its extents are listed, changed, and
 * become a new tree. That is one change, however large it is: nodes that nobody reaches, then the inode's copy. What
 * the old tree had and the new one has not is collected (struct tree_gone) and is free after the commit (C3). It costs
 * 16 bytes of DRAM for each extent of the file, and a node for each 252 of them.
 * Private to extent_shift.c and extent_share.c. */
#pragma once

#include "extent_tree.h"

struct extent_list {
	uint32_t count;
	uint32_t room;
	struct pmfs_extent *extent; /* the list's: free it */
};

/* The part [start, end) of an extent, at `place`; joins the last one if it can. ERR_TOO_BIG: behind the largest file's
 * end. ERR_NO_MEMORY. */
MUST_USE err_t extent_list_add(struct extent_list *list, const struct pmfs_extent *what, uint64_t start, uint64_t end,
		uint64_t place);

MUST_USE err_t tree_gone_add(struct tree_gone *gone, uint64_t start, uint64_t count); /* ERR_NO_MEMORY */

/* The list, which is used up, becomes the inode's tree. ERR_NO_SPACE, ERR_TOO_BIG. */
MUST_USE err_t tree_build(struct change *c, struct inode *inode, const struct extent_list *list);

/* The blocks of [from, gone->count) are not the inode's any more. */
void tree_gone_count(struct change *c, struct inode *inode, const struct tree_gone *gone, uint32_t from);
