/* SPDX-License-Identifier: BSD-2-Clause */
/* lease.h - files in the hands of clients: pager VMOs whose pages are the pmem itself.
 * A lease belongs to an inode and holds a reference on it, from the first fs_map or fs_lease until nobody has the file
 * open (if clients may have stored through mappings: until it has no name either, so that a later fsync knows of the
 * stores), or until unmount. It has one VMO for each size class that was asked for: a file that outgrows its VMO gets a
 * larger one. The last page of each is the lease page (struct fs_lease_page), which tells the file's attributes to
 * clients that read and write without calls. What a lease has supplied is taken back (lease_revoke) before blocks move
 * or are freed.
 *
 * What a client relies on (libc/posix/lease.h):
 * L1  While blocks are being taken back `epoch` is odd; afterwards it is another even number than before. So who finds
 *     the same even epoch before and after copying has copied blocks that were the file's all the while.
 * L2  A page once taken back is given again only by lease_fault, under the inode's lock: what is there then is the
 *     file's, or nothing is and the fault is refused.
 * L3  `size` never promises what is not there yet: it grows after the data is, and shrinks in an odd epoch.
 *     While somebody has the file exclusively open, it is odd all the time.
 * L4  The attributes were all true at one time if `sequence` is the same even number before and after. */
#pragma once

#include "fs/pmfs/pmfs.h"

#define LEASE_BADGE 1u /* of the pager's door: never a session's */

/* `zone` is the VMO over the device. */
MUST_USE err_t lease_init(struct pmfs *fs, handle_t zone);

/* For mappings: a handle for the client, with `rights` (RIGHT_READ, WRITE, EXECUTE). The inode is open meanwhile. */
MUST_USE err_t lease_map(struct inode *inode, uint32_t rights, handle_t *vmo, uint64_t *size);
/* The same to read and write without calls; `bytes` is the VMO's whole length. */
MUST_USE err_t lease_grant(struct inode *inode, uint32_t rights, handle_t *vmo, uint64_t *bytes);

/* pmfs_options.revoke and .publish. */
void lease_revoke(void *lease, uint64_t offset, uint64_t bytes);
void lease_publish(void *lease, const struct fs_stat *st, uint32_t flags);

/* After a close: lets the lease go if nobody needs it. */
void lease_maybe_drop(struct inode *inode);
/* After a name went: lets leases go that were kept for a file that has no name any more. */
void lease_sweep(void);
void lease_drop_all(void);

/* The kernel's question (pager.proto). */
MUST_USE err_t lease_fault(uint64_t key, uint64_t offset, uint32_t access);
