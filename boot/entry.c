/* SPDX-License-Identifier: GPL-2.0-only */
/* entry.c - the first C: from what the loader left to kernel_main, by one road for all three loaders.
 * Rules: runs on the boot stack with the tables of enter64.S. The loader's memory stays whole until everything in it
 * has been copied; only then may the archive move. */

#include "boot/boot.h"
#include "boot/entry.h"
#include "boot/layout.h"
#include "kernel/main.h"

#define UART_DATA 0x3f8
#define UART_STATUS 0x3fd
#define UART_EMPTY 0x20
#define UART_PATIENCE 100000

extern char kernel_start[], kernel_end[];

static struct boot_raw boot_raw;
static struct boot_info boot_info;

/* The direct map, not the identity map: physical 0 must not look like NULL. */
static const void *boot_map(uint64_t physical, uint64_t bytes)
{
	if (physical >= BOOT_MAPPED_BYTES || bytes > BOOT_MAPPED_BYTES - physical)
		return NULL;
	return (const void *)(BOOT_DIRECT_MAP + physical);
}

static void uart_write(const char *text)
{
	for (; *text; text++) {
		uint8_t status = 0;

		for (uint32_t i = 0; i < UART_PATIENCE && !(status & UART_EMPTY); i++)
			__asm__ volatile("inb %w1, %b0" : "=a"(status) : "Nd"(UART_STATUS));
		__asm__ volatile("outb %b0, %w1" : : "a"(*text), "Nd"(UART_DATA));
	}
}

static NORETURN void boot_die(const char *why)
{
	uart_write("lintel: ");
	uart_write(why);
	uart_write("; stopped\r\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Forward, byte by byte: the destination lies below the source. */
static void move_down(uint8_t *to, const uint8_t *from, uint64_t bytes)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void archive_drop(const char *why)
{
	boot_log(&boot_info, "boot archive at 0x%lx, 0x%lx bytes: %s; not used", boot_info.archive_base,
		 boot_info.archive_bytes, why);
	boot_info.archive_base = 0;
	boot_info.archive_bytes = 0;
}

/* The archive's first page must begin with it; its last page is the archive's alone, because loaders that align
 * modules do so for all of them. */
static void archive_place(void)
{
	uint64_t base = boot_info.archive_base & ~PAGE_MASK;
	uint64_t bytes = boot_info.archive_bytes;
	uint64_t shift = boot_info.archive_base - base;

	if (!bytes)
		return;
	if (boot_info.archive_base >= BOOT_MAPPED_BYTES || bytes > BOOT_MAPPED_BYTES - boot_info.archive_base) {
		archive_drop("above 4 GiB");
		return;
	}
	if (!boot_ranges_cover(&boot_info, base, shift + bytes, BOOT_MEMORY_USABLE)) {
		archive_drop("not in usable memory");
		return;
	}
	if (base < boot_info.kernel_base + boot_info.kernel_bytes && boot_info.kernel_base < base + shift + bytes) {
		archive_drop("overlaps the kernel");
		return;
	}
	if (shift)
		move_down((uint8_t *)(BOOT_DIRECT_MAP + base), (uint8_t *)(BOOT_DIRECT_MAP + base + shift), bytes);
	boot_info.archive_base = base;
}

static NORETURN void boot_finish(const struct boot_raw *raw)
{
	boot_gather(raw, boot_map, &boot_info);
	boot_info.kernel_base = (uint64_t)kernel_start - BOOT_IMAGE_VIRTUAL;
	boot_info.kernel_bytes = (uint64_t)(kernel_end - kernel_start);
	if (!boot_ranges_cover(&boot_info, boot_info.kernel_base, boot_info.kernel_bytes, BOOT_MEMORY_USABLE))
		boot_die("the kernel does not lie in usable memory");
	archive_place();
	kernel_main(&boot_info);
}

void boot_from_pvh(uint64_t start_info)
{
	const char *why;

	if (!pvh_read(start_info, boot_map, &boot_raw, &why))
		boot_die(why);
	boot_finish(&boot_raw);
}

void boot_from_multiboot2(uint64_t information)
{
	const char *why;

	if (!multiboot2_read(information, boot_map, &boot_raw, &why))
		boot_die(why);
	boot_finish(&boot_raw);
}

void boot_from_uefi(uint64_t physical)
{
	const struct boot_raw *raw = boot_map(physical, sizeof(*raw));

	if (!raw || raw->magic != BOOT_RAW_MAGIC || raw->ranges > BOOT_RANGES_MAX)
		boot_die("the UEFI application and the kernel are of different versions");
	boot_raw = *raw;
	boot_raw.command_line[sizeof(boot_raw.command_line) - 1] = 0;
	boot_finish(&boot_raw);
}
