/* SPDX-License-Identifier: BSD-2-Clause */
/* lease.h - files mapped by clients: pager VMOs whose pages are the pmem itself.
 * A lease belongs to an inode and holds a reference on it, from the first fs_map until the file
 * has no name and nobody has it open, or until unmount. It has one VMO for each size class that
 * was asked for: a file that outgrows its VMO gets a larger one. What a lease has supplied is
 * taken back (lease_revoke) before blocks move or are freed. */
#pragma once

#include "fs/pmfs/pmfs.h"

#define LEASE_BADGE 1u /* of the pager's door: never a session's */

/* `zone` is the VMO over the device. */
MUST_USE err_t lease_init(struct pmfs *fs, handle_t zone);

/* A handle for the client, with `rights` (RIGHT_READ, WRITE, EXECUTE). */
MUST_USE err_t lease_map(struct inode *inode, uint32_t rights, handle_t *vmo, uint64_t *size);

/* pmfs_options.revoke. */
void lease_revoke(void *lease, uint64_t offset, uint64_t bytes);

/* After a close: lets the lease go if the file has no name and nobody has it open. */
void lease_maybe_drop(struct inode *inode);
void lease_drop_all(void);

/* The kernel's question (pager.proto). */
MUST_USE err_t lease_fault(uint64_t key, uint64_t offset, uint32_t access);
