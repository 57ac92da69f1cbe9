/* SPDX-License-Identifier: BSD-2-Clause */
/* startup_check.c - checks a startup block before anything follows its offsets. */
#include "core/startup_check.h"

static bool range_ok(const struct startup_block *block, uint32_t offset, uint64_t count, uint64_t each)
{
	return offset <= block->bytes && count * each <= block->bytes - offset;
}

/* It ends in the block, because the block's last byte is 0. */
static bool string_ok(const struct startup_block *block, uint32_t offset)
{
	return offset < block->bytes;
}

static bool table_ok(const struct startup_block *block, uint32_t offset, uint32_t count)
{
	const uint32_t *table = (const uint32_t *)((const char *)block + offset);

	if (offset % sizeof(uint32_t) != 0 || !range_ok(block, offset, count, sizeof(uint32_t)))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!string_ok(block, table[i]))
			return false;
	}
	return true;
}

static bool handles_ok(const struct startup_block *block)
{
	const struct startup_handle *handles;

	if (block->handles > STARTUP_HANDLES_MAX || block->handles_offset % 8 != 0 ||
		!range_ok(block, block->handles_offset, block->handles, sizeof(struct startup_handle)))
		return false;
	handles = (const struct startup_handle *)((const char *)block + block->handles_offset);
	for (uint32_t i = 0; i < block->handles; i++) {
		uint32_t kind = handles[i].kind;
		bool named = kind == STARTUP_MOUNT || kind == STARTUP_SERVICE || kind == STARTUP_SERVE;
		if (named && handles[i].argument >= block->names)
			return false;
	}
	return true;
}

err_t startup_check(const struct startup_block *block, size_t mapped_bytes)
{
	if (mapped_bytes < sizeof(*block) || block->magic != STARTUP_MAGIC || block->version != STARTUP_VERSION ||
		block->bytes < sizeof(*block) || block->bytes > STARTUP_BYTES_MAX || block->bytes > mapped_bytes)
		return ERR_BAD_FORMAT;
	if (((const char *)block)[block->bytes - 1] != 0)
		return ERR_BAD_FORMAT;
	if (!table_ok(block, block->argv_offset, block->argc) || !table_ok(block, block->env_offset, block->envc) ||
		!table_ok(block, block->names_offset, block->names) || !string_ok(block, block->cwd_offset) ||
		((const char *)block)[block->cwd_offset] != '/' || !handles_ok(block))
		return ERR_BAD_FORMAT;
	return OK;
}

char *startup_string(const struct startup_block *block, uint32_t table_offset, uint32_t index)
{
	const uint32_t *table = (const uint32_t *)((const char *)block + table_offset);

	return (char *)block + table[index];
}
