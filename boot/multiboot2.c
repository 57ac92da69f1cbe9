/* SPDX-License-Identifier: GPL-2.0-only */
/* multiboot2.c - reads the boot information (Multiboot2 Specification 2.0, 3.4 to 3.6.17).
 * Rule: a tag lies wholly inside the total size, an entry wholly inside its tag, or it is not read. */

#include "boot/boot.h"
#include "boot/raw.h"

#define INFORMATION_BYTES_MAX (16u << 20)
#define MEMORY_ENTRY_BYTES 24
#define MODULE_TAG_BYTES 16
#define RSDP_OLD_BYTES 20

enum tag {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};

/* 3.6.8: entry size and version, then entries of base, length, type, reserved. */
static void read_memory(const uint8_t *tag, uint32_t bytes, struct boot_raw *raw)
{
	uint32_t step;

	if (bytes < 16)
		return;
	step = get32(tag + 8);
	if (step < MEMORY_ENTRY_BYTES)
		return;
	for (uint64_t at = 16; at + step <= bytes; at += step) {
		enum boot_memory type = boot_memory_of_e820(get32(tag + at + 16));

		raw_add(raw, get64(tag + at), get64(tag + at + 8), type);
	}
}

/* 3.6.6: the first module is the boot archive. */
static void read_module(const uint8_t *tag, uint32_t bytes, struct boot_raw *raw)
{
	uint32_t start, end;

	if (bytes < MODULE_TAG_BYTES || raw->archive_bytes)
		return;
	start = get32(tag + 8);
	end = get32(tag + 12);
	if (end > start) {
		raw->archive_base = start;
		raw->archive_bytes = end - start;
	}
}

/* 3.6.15: the tag holds a copy of the RSDP, so its own place is the address. The newer tag wins. */
static void read_rsdp(uint32_t type, uint64_t physical, uint32_t bytes, struct boot_raw *raw)
{
	if (bytes >= 8 + RSDP_OLD_BYTES && (type == TAG_RSDP_NEW || !raw->rsdp))
		raw->rsdp = physical + 8;
}

bool multiboot2_read(uint64_t physical, const void *(*map)(uint64_t physical, uint64_t bytes), struct boot_raw *raw,
		     const char **why)
{
	const uint8_t *info;
	uint32_t total;
	uint64_t at = 8;

	raw_init(raw, BOOT_MULTIBOOT2);
	info = map(physical, 8);
	total = info ? get32(info) : 0;
	info = total >= 16 && total <= INFORMATION_BYTES_MAX ? map(physical, total) : NULL;
	if (!info) {
		*why = "the Multiboot2 information has an impossible size";
		return false;
	}
	while (at + 8 <= total) {
		const uint8_t *tag = info + at;
		uint32_t type = get32(tag), bytes = get32(tag + 4);

		if (type == TAG_END || bytes < 8 || bytes > total - at)
			break;
		if (type == TAG_COMMAND_LINE)
			raw_set_command_line(raw, (const char *)tag + 8, bytes - 8);
		else if (type == TAG_MODULE)
			read_module(tag, bytes, raw);
		else if (type == TAG_MEMORY_MAP)
			read_memory(tag, bytes, raw);
		else if (type == TAG_RSDP_OLD || type == TAG_RSDP_NEW)
			read_rsdp(type, physical + at, bytes, raw);
		at += ((uint64_t)bytes + 7) & ~7ull;
	}
	if (!raw->ranges) {
		*why = "the Multiboot2 loader gives no memory map";
		return false;
	}
	return true;
}
