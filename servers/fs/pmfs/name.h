/* SPDX-License-Identifier: BSD-2-Clause */
/* name.h - what name.c and rename.c share. */
#pragma once

#include "change.h"
#include "walk.h"

void name_touch(struct pmfs_inode *next, uint64_t now);
