/* SPDX-License-Identifier: GPL-2.0-only */
/* handoff.c - the end of boot services, the memory map in our own words, and the jump (UEFI 2.10, 7.2 and 7.4.6).
 * Rule: between GetMemoryMap and ExitBootServices nothing is allocated; after a failed ExitBootServices nothing but
 * these two may be called, so the buffer has room to spare from the start. */

#include "boot/uefi/uefi.h"

#include "boot/raw.h"

#define SPARE_DESCRIPTORS 32
#define ATTEMPTS 8
#define TYPE_PERSISTENT 14 /* EfiPersistentMemory; newer than some headers */

struct memory_map {
	UINT8 *at;
	UINTN capacity;
	UINTN bytes;
	UINTN key;
	UINTN step;
	UINT32 version;
};

static EFI_STATUS map_read(struct memory_map *map)
{
	map->bytes = map->capacity;
	return BS->GetMemoryMap(&map->bytes, (EFI_MEMORY_DESCRIPTOR *)map->at, &map->key, &map->step, &map->version);
}

static BOOLEAN map_allocate(struct memory_map *map)
{
	VOID *pages;

	map->at = NULL;
	map->capacity = 0;
	if (map_read(map) != EFI_BUFFER_TOO_SMALL) {
		Print(L"lintel: the firmware does not tell the size of its memory map\n");
		return FALSE;
	}
	map->capacity = map->bytes + SPARE_DESCRIPTORS * map->step;
	if (!pages_below_4g(map->capacity, &pages))
		return FALSE;
	map->at = pages;
	return TRUE;
}

/* What loader and boot services held is free now; runtime services keep theirs. */
static enum boot_memory type_of(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	switch (descriptor->Type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return descriptor->Attribute & EFI_MEMORY_WB ? BOOT_MEMORY_USABLE : BOOT_MEMORY_RESERVED;
	case EfiACPIReclaimMemory:
		return BOOT_MEMORY_ACPI_RECLAIM;
	case EfiACPIMemoryNVS:
		return BOOT_MEMORY_ACPI_NVS;
	case EfiUnusableMemory:
		return BOOT_MEMORY_BAD;
	case TYPE_PERSISTENT:
		return BOOT_MEMORY_PMEM;
	default:
		return BOOT_MEMORY_RESERVED;
	}
}

static void map_convert(const struct memory_map *map, struct boot_raw *raw)
{
	for (UINTN at = 0; at + map->step <= map->bytes; at += map->step) {
		const EFI_MEMORY_DESCRIPTOR *descriptor = (const EFI_MEMORY_DESCRIPTOR *)(map->at + at);

		raw_add(raw, descriptor->PhysicalStart, descriptor->NumberOfPages * EFI_PAGE_SIZE, type_of(descriptor));
	}
}

BOOLEAN handoff(EFI_HANDLE application, struct boot_raw *raw, UINT64 entry)
{
	NORETURN void (__attribute__((sysv_abi)) *kernel)(UINT64 raw) = (VOID *)(UINTN)entry;
	struct memory_map map;
	EFI_STATUS status;

	if (!map_allocate(&map))
		return FALSE;
	for (UINTN i = 0; i < ATTEMPTS; i++) {
		status = map_read(&map);
		if (!EFI_ERROR(status))
			status = BS->ExitBootServices(application, map.key);
		if (status != EFI_INVALID_PARAMETER) /* the key was old: a timer event changed the map */
			break;
	}
	if (EFI_ERROR(status)) {
		Print(L"lintel: the firmware does not end its boot services: %r\n", status);
		return FALSE;
	}
	map_convert(&map, raw);
	kernel((UINT64)(UINTN)raw);
}
