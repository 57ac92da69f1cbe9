/* SPDX-License-Identifier: BSD-2-Clause */
/* super.h - the superblock and the state word. */
#pragma once

#include "inode.h"

enum super_verdict {
	SUPER_GOOD,       /* ours: *out is filled */
	SUPER_BLANK,      /* the first MiBs are zero, or a format was interrupted: nothing to lose */
	SUPER_BAD,        /* `reason` says why; error says which kind */
};

/* Looks at the media and decides; writes nothing. */
enum super_verdict super_examine(const void *base, uint64_t bytes, struct pmfs_super *out, err_t *error,
		char reason[PMFS_REASON_BYTES]);

/* Is that copy (0, 1) the one that was accepted? Formatting may have been cut between the two. */
bool super_copy_good(const struct pmem *pm, int copy, const struct pmfs_super *accepted);
/* Makes both copies what was accepted; durable when it comes back. */
void super_mend(struct pmem *pm, const struct pmfs_super *accepted);

/* Make a new, empty, cleanly unmounted file system. bytes >= PMFS_BYTES_MIN. */
void super_format(struct pmem *pm, uint64_t seed);

/* The state word: false if its check fails. */
bool state_read(const struct pmem *pm, uint32_t *state);
void state_write(struct pmem *pm, uint32_t state); /* durable when it comes back */
