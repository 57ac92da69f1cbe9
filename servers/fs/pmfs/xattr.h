/* SPDX-License-Identifier: BSD-2-Clause */
/* xattr.h - extended attributes. A file that has some has an attribute inode (pmfs_inode.attributes), whose blocks hold
 * them in groups: one block of small attributes, or as many as one large attribute needs (struct pmfs_attributes).
 * X1  Groups are copied, not changed: a change maps new blocks and frees the old ones, and takes the owner with it.
 * X2  The attribute inode belongs to its owner: who has the owner locked has it locked. Nothing else leads to it.
 * X3  An attribute inode exists as long as there is an attribute. With the owner it is freed right after, in a change
 *     of its own: a record has no room for both and two directories. Mount frees one whose owner does not know it. */
#pragma once

#include "change.h"

/* The owner is free on media: so will be its attributes. */
void xattr_end(struct pmfs *fs, uint64_t owner, uint32_t number);
/* Is the inode, of that type, one that no owner knows (any more)? At mount, after an unclean end. */
bool xattr_is_lost(struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode);

/* Everything in an attribute inode, checked: checksums, lengths, order. ERR_CORRUPT; the visitor (may be NULL) has seen
 * what came before. */
typedef void (*xattr_visitor)(void *context, const char *name, uint32_t name_bytes, const uint8_t *value,
		uint32_t value_bytes);
MUST_USE err_t xattr_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode, xattr_visitor visit,
		void *context);
