/* SPDX-License-Identifier: GPL-2.0-only */
/* main.c - the UEFI application: loads \lintel\kernel.elf, \lintel\boot.tar and \lintel\cmdline.txt (may be missing)
 * from the volume it came from, and starts the kernel at its UEFI entry with a struct boot_raw.
 * Rule: a bad file, or memory that is taken, gets one line and the firmware goes on with its next boot option. */

#include "boot/uefi/uefi.h"

#include "boot/raw.h"
#include "boot/uefi/image.h"

#define PATH_KERNEL L"\\lintel\\kernel.elf"
#define PATH_ARCHIVE L"\\lintel\\boot.tar"
#define PATH_COMMAND_LINE L"\\lintel\\cmdline.txt"

static EFI_FILE_HANDLE open_own_volume(EFI_HANDLE application)
{
	EFI_LOADED_IMAGE *self;
	EFI_FILE_HANDLE root = NULL;
	EFI_STATUS status;

	status = BS->HandleProtocol(application, &LoadedImageProtocol, (VOID **)&self);
	if (!EFI_ERROR(status))
		root = LibOpenRoot(self->DeviceHandle);
	if (!root)
		Print(L"lintel: the volume that this application came from cannot be opened\n");
	return root;
}

/* The type is "loader code", because strict firmware makes all other memory non-executable. */
static BOOLEAN load_kernel(const struct uefi_file *file, struct image *image)
{
	const char *why = image_check(file->at, file->bytes, image);
	EFI_PHYSICAL_ADDRESS address;
	EFI_STATUS status;

	if (why) {
		Print(L"lintel: %s cannot be loaded: %a\n", PATH_KERNEL, why);
		return FALSE;
	}
	address = image->base;
	status = BS->AllocatePages(AllocateAddress, EfiLoaderCode, EFI_SIZE_TO_PAGES(image->bytes), &address);
	if (EFI_ERROR(status)) {
		Print(L"lintel: the firmware uses the kernel's memory, 0x%lx to 0x%lx: %r\n", image->base,
		      image->base + image->bytes, status);
		return FALSE;
	}
	ZeroMem((VOID *)(UINTN)image->base, image->bytes);
	for (UINTN i = 0; i < image->segments; i++) {
		const struct image_segment *segment = &image->segment[i];

		CopyMem((VOID *)(UINTN)segment->physical, file->at + segment->offset, segment->file_bytes);
	}
	return TRUE;
}

/* ACPI 6.5, 5.2.5.2: the newer GUID wins. */
static UINT64 find_rsdp(void)
{
	EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
	VOID *rsdp = NULL;

	if (EFI_ERROR(LibGetSystemConfigurationTable(&acpi2, &rsdp)) &&
	    EFI_ERROR(LibGetSystemConfigurationTable(&acpi1, &rsdp)))
		rsdp = NULL;
	return (UINT64)(UINTN)rsdp;
}

static BOOLEAN set_command_line(const struct uefi_file *file, struct boot_raw *raw)
{
	UINT64 bytes = file->bytes;

	while (bytes && (UINT8)file->at[bytes - 1] <= ' ')
		bytes--;
	if (bytes >= sizeof(raw->command_line)) {
		Print(L"lintel: %s is longer than %d bytes\n", PATH_COMMAND_LINE, (int)sizeof(raw->command_line) - 1);
		return FALSE;
	}
	raw_set_command_line(raw, (const char *)file->at, bytes);
	return TRUE;
}

static BOOLEAN prepare(EFI_FILE_HANDLE root, struct boot_raw **raw, UINT64 *entry)
{
	struct uefi_file kernel, archive, command_line;
	struct image image;
	VOID *pages;

	if (!file_read(root, PATH_KERNEL, TRUE, &kernel) || !load_kernel(&kernel, &image))
		return FALSE;
	if (!file_read(root, PATH_ARCHIVE, TRUE, &archive) ||
	    !file_read(root, PATH_COMMAND_LINE, FALSE, &command_line))
		return FALSE;
	if (!pages_below_4g(sizeof(**raw), &pages))
		return FALSE;
	*raw = pages;
	raw_init(*raw, BOOT_UEFI);
	(*raw)->rsdp = find_rsdp();
	(*raw)->archive_base = (UINT64)(UINTN)archive.at;
	(*raw)->archive_bytes = archive.bytes;
	*entry = image.entry;
	return set_command_line(&command_line, *raw);
}

EFI_STATUS efi_main(EFI_HANDLE application, EFI_SYSTEM_TABLE *table);

/* No EFIAPI: GNU-EFI's start code calls it by the System V convention. */
EFI_STATUS efi_main(EFI_HANDLE application, EFI_SYSTEM_TABLE *table)
{
	EFI_FILE_HANDLE root;
	struct boot_raw *raw;
	UINT64 entry;

	InitializeLib(application, table);
	root = open_own_volume(application);
	if (root && prepare(root, &raw, &entry))
		handoff(application, raw, entry);
	return EFI_LOAD_ERROR;
}
