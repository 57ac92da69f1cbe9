/* SPDX-License-Identifier: BSD-2-Clause */
/* name.h - what name.c and rename.c share. */
#pragma once

#include "change.h"
#include "walk.h"

MUST_USE err_t name_check_parent(const struct inode *dir);
void name_touch(struct pmfs_inode *next, uint64_t now);
