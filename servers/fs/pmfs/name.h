/* SPDX-License-Identifier: BSD-2-Clause */
/* name.h - what name.c and rename.c share. */
#pragma once

#include "change.h"
#include "walk.h"

/* The parent is locked: it still takes names, and the last name leads to what the walk found, be it
 * nothing. ERR_NOT_FOUND: it is gone. ERR_EXISTS: it is new. ERR_AGAIN: it leads to something else. */
MUST_USE err_t name_still_leads(struct walk *at);
void name_touch(struct pmfs_inode *next, uint64_t now);
