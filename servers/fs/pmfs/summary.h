/* SPDX-License-Identifier: BSD-2-Clause */
/* summary.h - what a clean unmount leaves for the next mount, so that it need not look at every inode:
 * which blocks and which inodes are in use. It lies in free blocks; block 2 says where, and with which
 * state word it holds.
 *
 * U1  It holds for one value of the state word: the one that the unmount which wrote it ends with. A
 * mount changes the word before anything else, and no later word is the same.
 * U2  Nothing depends on it: whenever it is not there, or is not what its checksums say, mount looks
 * at every inode.
 * U3  It is checked whole before anything of it is taken. */
#pragma once

#include "inode.h"

/* Before the state word `state` is written, which makes it durable and good; nothing is open. Where it cannot be
 * written (no run of free blocks is long enough, no memory), it is not. */
void summary_write(struct pmfs *fs, uint32_t state);

/* Is there one for this state word, whole and undamaged? */
bool summary_good(const struct pmfs *fs, uint32_t state);

/* One that is good becomes the free space and the free inode numbers, after space_init and
 * inode_table_learn. ERR_CORRUPT: the table does not have its size. ERR_NO_MEMORY. */
MUST_USE err_t summary_load(struct pmfs *fs);
