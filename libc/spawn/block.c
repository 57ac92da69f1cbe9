/* SPDX-License-Identifier: BSD-2-Clause */
/* block.c - building a child's startup block; core/startup_check.c is its reader. */
#include "spawn/block.h"

#include <string.h>

struct startup_block *block_of(struct block_builder *builder)
{
	return (struct startup_block *)builder->base;
}

static uint32_t count_strings(char *const strings[])
{
	uint32_t count = 0;

	while (strings != NULL && strings[count] != NULL && count < STARTUP_BYTES_MAX)
		count++;
	return count;
}

static err_t take(struct block_builder *builder, uint64_t bytes, uint32_t *offset)
{
	if (bytes > STARTUP_BYTES_MAX - builder->used)
		return ERR_TOO_BIG;
	*offset = builder->used;
	builder->used += (uint32_t)bytes;
	block_of(builder)->bytes = builder->used;
	return OK;
}

static err_t add_string(struct block_builder *builder, const char *text, uint32_t *offset)
{
	size_t bytes = strlen(text) + 1;
	err_t error = take(builder, bytes, offset);

	if (error == OK) {
		memcpy(builder->base + *offset, text, bytes - 1);
		builder->base[*offset + bytes - 1] = 0;
	}
	return error;
}

static err_t add_strings(struct block_builder *builder, uint32_t table, char *const strings[], uint32_t count)
{
	err_t error = OK;

	for (uint32_t i = 0; i < count && error == OK; i++)
		error = add_string(builder, strings[i], (uint32_t *)(builder->base + table) + i);
	return error;
}

err_t block_begin(struct block_builder *builder, char *base, char *const argv[], char *const env[], const char *cwd,
				  uint32_t names_most, uint32_t handles_most)
{
	struct startup_block *block = (struct startup_block *)base;

	*builder = (struct block_builder){ base, sizeof(*block), names_most, handles_most };
	*block = (struct startup_block){ .magic = STARTUP_MAGIC, .version = STARTUP_VERSION, .bytes = sizeof(*block) };
	block->argc = count_strings(argv);
	block->envc = count_strings(env);
	err_t error = handles_most > STARTUP_HANDLES_MAX ? ERR_TOO_BIG : OK;
	if (error == OK)
		error = take(builder, (uint64_t)handles_most * sizeof(struct startup_handle), &block->handles_offset);
	if (error == OK)
		error = take(builder, (uint64_t)block->argc * sizeof(uint32_t), &block->argv_offset);
	if (error == OK)
		error = take(builder, (uint64_t)block->envc * sizeof(uint32_t), &block->env_offset);
	if (error == OK)
		error = take(builder, (uint64_t)names_most * sizeof(uint32_t), &block->names_offset);
	if (error == OK)
		error = add_strings(builder, block->argv_offset, argv, block->argc);
	if (error == OK)
		error = add_strings(builder, block->env_offset, env, block->envc);
	return error == OK ? add_string(builder, cwd, &block->cwd_offset) : error;
}

err_t block_add_name(struct block_builder *builder, const char *name, uint32_t *index)
{
	struct startup_block *block = block_of(builder);

	if (block->names == builder->names_most)
		return ERR_TOO_BIG;
	err_t error = add_string(builder, name, (uint32_t *)(builder->base + block->names_offset) + block->names);
	if (error == OK)
		*index = block->names++;
	return error;
}

err_t block_add_handle(struct block_builder *builder, const struct startup_handle *handle)
{
	struct startup_block *block = block_of(builder);

	if (block->handles == builder->handles_most)
		return ERR_TOO_BIG;
	((struct startup_handle *)(builder->base + block->handles_offset))[block->handles++] = *handle;
	return OK;
}
