/* SPDX-License-Identifier: BSD-2-Clause */
/* name_cache.h - names that were found or removed lately, in DRAM: directory and name -> inode and type, or inode 0: no
 * such name.
 * A name has one place in a table of fixed size; who comes later has it. So nobody can make it grow,
 * and whoever chooses names that share a place only makes them be found in their leaf again.
 *
 * N1  What is found is what the directory holds: who looks or puts holds the directory's lock at
 * least for reading; when a change has made a name or let go of one, that is put before the lock for writing is
 * released.
 * N2  An entry is written by one thread at a time and read without a lock: `sequence` is odd meanwhile. Who finds it
 * odd goes away: what was there is gone, and no more is needed, as nobody else puts the same name meanwhile. */
#pragma once

#include "directory.h"

MUST_USE err_t name_cache_init(struct pmfs *fs);
void name_cache_destroy(struct pmfs *fs);

/* Fills `name`, which then can be looked for in any directory. */
void name_cache_prepare(struct dir_name *name, const char *text, size_t bytes);

/* Tells the name's hash on media, too, and its slot. */
bool name_cache_find(const struct inode *dir, struct dir_name *name, struct dir_hit *out);
void name_cache_put(const struct inode *dir, const struct dir_name *name, const struct dir_hit *what);
