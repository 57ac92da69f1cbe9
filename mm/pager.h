/* SPDX-License-Identifier: GPL-2.0-only */
/* pager.h - VMOs whose pages a user-mode pager supplies: supply, take back, ask.
 * Units: bytes, multiples of PAGE_SIZE.
 * Owner: a supplied page stays its source's; the pager VMO holds a reference on each source until
 * it has none of its pages.
 * Locks: [v] vmo->lock around a whole supply or revoke, leaf locks inside.
 * G1  a page of a pager VMO is a frame of a source that can neither shrink nor die while it is
 *     supplied.
 * G2  when vmo_revoke returns, no CPU reaches the pages through this VMO: not by a space, not by a
 *     window. */
#pragma once

#include "mm/vmo.h"

/* The VMOs of one pager, so that all it has supplied can be taken back when it is no more. Holds no references. */
struct pager_family {
	struct spinlock lock; /* rank VMO; alone */
	struct vmo *first;
};

struct pager_request {
	struct vmo *vmo; /* a reference that the receiver drops with vmo_unref */
	void *pager;     /* as given to vmo_create_pager */
	uint64_t key;    /* likewise */
	uint64_t offset; /* of the missing page in the VMO, bytes, page-aligned */
	uint32_t access; /* RIGHT_READ, or RIGHT_WRITE: it must be writable */
};

/* Let [offset, +bytes) of a pager VMO be the pages of `source` (zone VMO, or fully committed
 * anonymous VMO that is not resizable, or a slice of one). Whole aligned 2 MiB stay whole.
 * Supplying the same frames again with write allowed widens. ERR_ARGS (alignment, range, kinds),
 * ERR_EXISTS (another page is there), ERR_BAD_STATE (source page not committed), ERR_NO_MEMORY,
 * ERR_LIMIT. All of it happens or nothing. */
MUST_USE err_t vmo_supply(struct vmo *vmo, uint64_t offset, struct vmo *source, uint64_t source_offset, uint64_t bytes,
	bool writable);

/* Take pages back; those that were not supplied are no error. A 2 MiB page may go as a whole where
 * only a part of it was named and there is no memory to split its descriptor: the pager is asked
 * again for the rest. ERR_ARGS. */
MUST_USE err_t vmo_revoke(struct vmo *vmo, uint64_t offset, uint64_t bytes);

void pager_family_init(struct pager_family *family);
/* After vmo_create_pager, before anybody else knows the VMO. The family outlives it. */
void pager_family_add(struct pager_family *family, struct vmo *vmo);
/* vmo_destroy's part. */
void pager_family_remove(struct vmo *vmo);
/* The pager is gone for good and supplies nothing any more: takes back every page of every VMO, and with them the
 * references on their sources. Whoever touches one afterwards asks in vain. */
void pager_family_end(struct pager_family *family);
