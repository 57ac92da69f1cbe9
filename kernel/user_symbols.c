/* SPDX-License-Identifier: GPL-2.0-only */
/* user_symbols.c - see user_symbols.h; and process_symbols. */
#include "kernel/user_symbols.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/process.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"

struct table {
	uint64_t address;
	uint64_t bytes; /* all of [address, +bytes) are user addresses */
	struct symbol_table header;
};

bool user_peek(void *to, uint64_t from, size_t bytes)
{
	struct pager_request *request = &thread_current()->pager_request;
	err_t err;

	if (!address_is_user(from, bytes))
		return false;
	err = copy_from_user(to, (const void __user *)from, bytes);
	if (err != OK && request->vmo != NULL) {
		vmo_unref(request->vmo);
		request->vmo = NULL;
	}
	return err == OK;
}

static bool table_peek(const struct table *table, uint64_t offset, void *to, uint64_t bytes)
{
	if (offset > table->bytes || bytes > table->bytes - offset)
		return false;
	return user_peek(to, table->address + offset, bytes);
}

static bool function_peek(const struct table *table, uint32_t index, uint32_t *offset)
{
	return table_peek(table, sizeof(table->header) + (uint64_t)index * sizeof(uint32_t), offset, sizeof(*offset));
}

/* Another thread may replace the table between the two loads: then they do not fit each other, which is as harmless as
 * any other wrong table. */
static bool table_open(struct table *table)
{
	struct process *process = process_here();

	table->address = __atomic_load_n(&process->symbols, __ATOMIC_RELAXED);
	table->bytes = __atomic_load_n(&process->symbols_bytes, __ATOMIC_RELAXED);
	return address_is_user(table->address, table->bytes) &&
	       table_peek(table, 0, &table->header, sizeof(table->header)) &&
	       table->header.magic == SYMBOL_TABLE_MAGIC && table->header.count > 0 &&
	       table->header.count <= (table->bytes - sizeof(table->header)) / (2 * sizeof(uint32_t));
}

static bool name_peek(const struct table *table, uint32_t index, char name[USER_SYMBOL_BYTES])
{
	uint64_t functions = sizeof(table->header), names = functions + (uint64_t)table->header.count * sizeof(uint32_t);
	uint64_t text = names + (uint64_t)table->header.count * sizeof(uint32_t), left;
	uint32_t offset, used;

	if (!table_peek(table, names + (uint64_t)index * sizeof(uint32_t), &offset, sizeof(offset)))
		return false;
	text += offset;
	left = text < table->bytes ? table->bytes - text : 0;
	left = left < SYMBOL_NAME_MAX ? left : SYMBOL_NAME_MAX;
	if (left == 0 || !table_peek(table, text, name, left))
		return false;
	for (used = 0; used < left && name[used] > ' ' && name[used] < 0x7f; used++)
		;
	name[used] = '\0';
	return used > 0;
}

bool user_symbol_find(uint64_t address, char name[USER_SYMBOL_BYTES], uint64_t *offset)
{
	struct table table;
	uint32_t low = 0, high, middle, first, wanted;

	if (!table_open(&table) || address < table.header.base || address - table.header.base > UINT32_MAX)
		return false;
	wanted = (uint32_t)(address - table.header.base);
	high = table.header.count;
	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (!function_peek(&table, middle, &first))
			return false;
		if (first <= wanted)
			low = middle;
		else
			high = middle;
	}
	if (!function_peek(&table, low, &first) || first > wanted || !name_peek(&table, low, name))
		return false;
	*offset = wanted - first;
	return true;
}

err_t sys_process_symbols(handle_t handle, uint64_t address, uint64_t bytes)
{
	struct process *process;
	struct object *object;
	err_t err;

	if (!address_is_user(address, bytes))
		return ERR_ARGS;
	err = handle_get(&process_here()->handles, handle, OBJECT_PROCESS, RIGHT_MANAGE, &object);
	if (err != OK)
		return err;
	process = container_of(object, struct process, object);
	__atomic_store_n(&process->symbols, address, __ATOMIC_RELAXED);
	__atomic_store_n(&process->symbols_bytes, bytes, __ATOMIC_RELAXED);
	object_unref(object);
	return OK;
}
