/* SPDX-License-Identifier: BSD-2-Clause */
/* block.h - building a child's startup block. Pure: builds on the host. Private to libc.
 * Fixed parts come first (block, handles, tables), strings after them as they are added. */
#pragma once

#include <lintel/startup.h>

struct block_builder {
	char *base;        /* STARTUP_BYTES_MAX bytes, the caller's */
	uint32_t used;     /* bytes */
	uint32_t names_most;
	uint32_t handles_most;
};

/* Lay out the fixed parts for these counts and copy the strings of argv and env (NULL-terminated each) and cwd.
 * ERR_TOO_BIG when they do not fit into STARTUP_BYTES_MAX. */
MUST_USE err_t block_begin(struct block_builder *builder, char *base, char *const argv[], char *const env[],
						   const char *cwd, uint32_t names_most, uint32_t handles_most);

/* The index of a new name. ERR_TOO_BIG. */
MUST_USE err_t block_add_name(struct block_builder *builder, const char *name, uint32_t *index);
MUST_USE err_t block_add_handle(struct block_builder *builder, const struct startup_handle *handle);

/* The block, complete but for stack and sysinfo. */
struct startup_block *block_of(struct block_builder *builder);
