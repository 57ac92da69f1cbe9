/* SPDX-License-Identifier: BSD-2-Clause */
/* startup_check.h - is a startup block what startup.h says? Pure: builds on the host. Private to libc. */
#pragma once

#include <lintel/startup.h>

/* Every offset, count and string of `block` lies inside its `bytes`, and those inside `mapped_bytes`.
 * Returns ERR_BAD_FORMAT otherwise. Handles are not looked at: the kernel does that. */
MUST_USE err_t startup_check(const struct startup_block *block, size_t mapped_bytes);

/* The index-th string of the table at `table_offset`; for blocks that passed startup_check. */
char *startup_string(const struct startup_block *block, uint32_t table_offset, uint32_t index);
