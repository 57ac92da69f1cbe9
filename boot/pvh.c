/* SPDX-License-Identifier: GPL-2.0-only */
/* pvh.c - reads struct hvm_start_info (Xen, public/arch-x86/hvm/start_info.h: layout versions 0 and 1).
 * Rule: addresses in it are physical, and nothing behind them is believed longer than it says. */

#include "boot/boot.h"
#include "boot/raw.h"

#define START_MAGIC 0x336ec578u
#define MODULES_MAX 64

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t modules;
	uint64_t module_list;
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map; /* from version 1 on */
	uint32_t memory_maps;
	uint32_t reserved;
};

struct start_module {
	uint64_t base;
	uint64_t bytes;
	uint64_t command_line;
	uint64_t reserved;
};

struct start_memory {
	uint64_t base;
	uint64_t bytes;
	uint32_t type; /* as in E820 */
	uint32_t reserved;
};

_Static_assert(sizeof(struct start_info) == 56, "layout of hvm_start_info");
_Static_assert(sizeof(struct start_module) == 32, "layout of hvm_modlist_entry");
_Static_assert(sizeof(struct start_memory) == 24, "layout of hvm_memmap_table_entry");

/* The string's end is not known beforehand: it is read by the byte. */
static void read_command_line(uint64_t physical, const void *(*map)(uint64_t, uint64_t), struct boot_raw *raw)
{
	for (uint32_t i = 0; i < sizeof(raw->command_line) - 1; i++) {
		const char *c = map(physical + i, 1);

		if (!c || !*c)
			return;
		raw->command_line[i] = *c;
	}
}

static bool read_memory(const struct start_info *start, const void *(*map)(uint64_t, uint64_t), struct boot_raw *raw,
			const char **why)
{
	const struct start_memory *list;

	if (start->version < 1 || !start->memory_maps) {
		*why = "the PVH loader gives no memory map";
		return false;
	}
	list = map(start->memory_map, start->memory_maps * (uint64_t)sizeof(*list));
	if (!list) {
		*why = "the PVH memory map is out of reach";
		return false;
	}
	for (uint32_t i = 0; i < start->memory_maps; i++) {
		struct start_memory entry;

		__builtin_memcpy(&entry, &list[i], sizeof(entry));
		raw_add(raw, entry.base, entry.bytes, boot_memory_of_e820(entry.type));
	}
	return true;
}

static bool read_archive(const struct start_info *start, const void *(*map)(uint64_t, uint64_t), struct boot_raw *raw,
			 const char **why)
{
	const struct start_module *list;
	struct start_module module;

	if (!start->modules)
		return true;
	list = start->modules <= MODULES_MAX ? map(start->module_list, sizeof(*list)) : NULL;
	if (!list) {
		*why = "the PVH module list is out of reach";
		return false;
	}
	__builtin_memcpy(&module, list, sizeof(module));
	raw->archive_base = module.base;
	raw->archive_bytes = module.bytes;
	return true;
}

bool pvh_read(uint64_t physical, const void *(*map)(uint64_t physical, uint64_t bytes), struct boot_raw *raw,
	      const char **why)
{
	struct start_info start = { 0 };
	const struct start_info *found;

	raw_init(raw, BOOT_PVH);
	found = map(physical, offsetof(struct start_info, memory_map));
	if (!found || get32((const uint8_t *)found) != START_MAGIC) {
		*why = "the PVH start information has no magic number";
		return false;
	}
	__builtin_memcpy(&start, found, offsetof(struct start_info, memory_map));
	if (start.version >= 1) {
		found = map(physical, sizeof(start));
		if (!found) {
			*why = "the PVH start information is cut short";
			return false;
		}
		__builtin_memcpy(&start, found, sizeof(start));
	}
	raw->rsdp = start.rsdp;
	if (start.command_line)
		read_command_line(start.command_line, map, raw);
	return read_memory(&start, map, raw, why) && read_archive(&start, map, raw, why);
}
