/* SPDX-License-Identifier: GPL-2.0-only */
/* revoke.h - the one place where translations are taken away: unmap, protect, resize, vmo_revoke,
 * end of a space. Always the same three steps: clear (or narrow) the entries and note them in a
 * batch; finish the batch, after which no CPU and no window reaches the pages; only then give
 * frames and tables back.
 * Units: bytes, page multiples.  Context: threads, interrupts on. */
#pragma once

#include "mm/space.h"

/* Clear all leaves of [first, end). A large leaf that reaches out of the range goes as a whole: the
 * rest faults in again. */
void revoke_range(struct tlb_batch *batch, uint64_t first, uint64_t end);
/* Leave the leaves of [first, end) only what `flags` (SPACE_READ, WRITE, EXECUTE) allow; never gives
 * more. */
void revoke_rights(struct tlb_batch *batch, uint64_t first, uint64_t end, uint32_t flags);
/* Unlink the tables that [first, end) touches and whose span lies in [free_first, free_end), where there
 * is no region any more (T2). With space->lock, after space_drain. */
void revoke_tables(struct tlb_batch *batch, uint64_t first, uint64_t end, uint64_t free_first, uint64_t free_end);
/* Pages [first, last] of a VMO leave all spaces that map them; one batch a space. */
void revoke_vmo(struct vmo *vmo, uint64_t first_page, uint64_t last_page) TA_EXCL(vmo->lock);
