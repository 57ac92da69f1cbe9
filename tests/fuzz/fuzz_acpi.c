/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_acpi.c - any bytes at all as firmware's and loaders' tables (libFuzzer's entry; clang -fsanitize=fuzzer,address,
 * undefined). Whatever comes in, nothing is read out of bounds and boot_info keeps the promises of boot_host.h.
 * link: boot/ !boot/entry.c boot/uefi/image.c
 *
 * First byte: 0 ACPI tables that the harness puts together (root, headers and checksums right, so that the fuzzer
 * gets to the entries), 1 raw memory with the RSDP at its start, 2 Multiboot2, 3 PVH, 4 a kernel file, 5 a memory map.
 * Mode 0 input: records of signature number (1 byte), length (2 bytes), body. */
#include "tests/unit/boot_host.h"

#include "boot/uefi/image.h"

#define RSDP HOST_BASE
#define ROOT (HOST_BASE + 0x100)
#define BOOT_APIC_ID 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct boot_raw raw;
static struct boot_info info;

static void require(const char *why)
{
	if (why) {
		__builtin_printf("%s\n", why);
		abort();
	}
}

static void gather(void)
{
	boot_gather_on(&raw, host_map, BOOT_APIC_ID, &info);
	require(host_check(&info, BOOT_APIC_ID));
}

static uint64_t put_table(const char *signature, const uint8_t *body, uint32_t bytes)
{
	uint8_t *at = host_memory + host_used;

	memcpy(at, signature, 4);
	put32(at + 4, ACPI_HEADER_BYTES + bytes);
	memcpy(at + ACPI_HEADER_BYTES, body, bytes);
	sum_fix(at, ACPI_HEADER_BYTES + bytes, 9);
	host_used += (ACPI_HEADER_BYTES + bytes + 15) & ~15u;
	return HOST_BASE + (uint64_t)(at - host_memory);
}

static void put_root(const uint64_t *pointer, uint32_t pointers)
{
	uint8_t *root = host_at(ROOT), *rsdp = host_at(RSDP);

	memcpy(root, "XSDT", 4);
	put32(root + 4, ACPI_HEADER_BYTES + pointers * 8);
	memcpy(root + ACPI_HEADER_BYTES, pointer, pointers * 8);
	sum_fix(root, ACPI_HEADER_BYTES + pointers * 8, 9);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	sum_fix(rsdp, 20, 8);
	put32(rsdp + 20, 36);
	put64(rsdp + 24, ROOT);
	sum_fix(rsdp, 36, 32);
}

static void fuzz_tables(const uint8_t *data, size_t size)
{
	static const char *const signature[] = { "APIC", "SRAT", "SLIT", "NFIT", "FACP", "MCFG", "HPET", "DMAR", "SSDT" };
	uint64_t pointer[64];
	uint32_t pointers = 0;

	while (size >= 3 && pointers < ARRAY_LEN(pointer)) {
		uint32_t bytes = get16(data + 1);
		const char *name = signature[data[0] % ARRAY_LEN(signature)];

		bytes = bytes < size - 3 ? bytes : (uint32_t)(size - 3);
		if (host_used + bytes + 64 > HOST_BYTES)
			break;
		pointer[pointers++] = put_table(name, data + 3, bytes);
		data += 3 + bytes;
		size -= 3 + bytes;
	}
	put_root(pointer, pointers);
	raw.rsdp = RSDP;
	gather();
}

static void fuzz_loader(uint8_t mode, const uint8_t *data, size_t size)
{
	uint64_t physical = HOST_BASE + HOST_BYTES - size; /* ends where memory ends */
	const char *why;
	bool read;

	memcpy(host_at(physical), data, size);
	read = mode == 2 ? multiboot2_read(physical, host_map, &raw, &why) : pvh_read(physical, host_map, &raw, &why);
	require(read || why ? NULL : "no reason given");
	gather();
}

static void fuzz_image(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct image image;

	memcpy(copy, data, size);
	if (!image_check(copy, size, &image)) {
		for (uint32_t i = 0; i < image.segments; i++) {
			const struct image_segment *segment = &image.segment[i];

			if (segment->offset + segment->file_bytes > size || segment->physical < image.base ||
			    segment->physical + segment->memory_bytes > image.base + image.bytes)
				abort();
		}
	}
	free(copy);
}

static void fuzz_ranges(const uint8_t *data, size_t size)
{
	for (; size >= 17 && raw.ranges < BOOT_RANGES_MAX; data += 17, size -= 17)
		raw.range[raw.ranges++] =
			(struct boot_range){ .base = get64(data), .bytes = get64(data + 8), .type = data[16] };
	gather();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = size ? data[0] % 6 : 0;

	if (size < 1 || size > 65536)
		return 0;
	data++;
	size--;
	host_reset();
	memset(&raw, 0, sizeof(raw));
	raw.path = BOOT_UEFI;
	if (mode == 0)
		fuzz_tables(data, size);
	else if (mode == 4)
		fuzz_image(data, size);
	else if (mode == 5)
		fuzz_ranges(data, size);
	else if (mode == 1) {
		memcpy(host_at(RSDP), data, size);
		raw.rsdp = RSDP;
		gather();
	} else
		fuzz_loader(mode, data, size);
	return 0;
}
