/* SPDX-License-Identifier: GPL-2.0-only */
/* file.c - whole files into page-aligned memory below 4 GiB (UEFI Specification 2.10, 13.5 and 7.2). */

#include "boot/uefi/uefi.h"

#define FILE_BYTES_MAX (2ull << 30)
#define BELOW_4G 0xffffffffull

BOOLEAN pages_below_4g(UINT64 bytes, VOID **out)
{
	EFI_PHYSICAL_ADDRESS address = BELOW_4G;
	EFI_STATUS status;

	status = BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, EFI_SIZE_TO_PAGES(bytes), &address);
	if (EFI_ERROR(status)) {
		Print(L"lintel: no %ld bytes of memory below 4 GiB: %r\n", bytes, status);
		return FALSE;
	}
	*out = (VOID *)(UINTN)address;
	return TRUE;
}

static BOOLEAN read_whole(EFI_FILE_HANDLE file, CHAR16 *path, struct uefi_file *out)
{
	UINT64 done = 0;

	while (done < out->bytes) {
		UINTN step = out->bytes - done;
		EFI_STATUS status = file->Read(file, &step, out->at + done);

		if (EFI_ERROR(status) || step == 0) {
			Print(L"lintel: reading %s stopped after %ld of %ld bytes: %r\n", path, done, out->bytes, status);
			return FALSE;
		}
		done += step;
	}
	return TRUE;
}

static BOOLEAN read_opened(EFI_FILE_HANDLE file, CHAR16 *path, struct uefi_file *out)
{
	EFI_FILE_INFO *info = LibFileInfo(file);
	UINT64 bytes;
	VOID *pages;

	if (!info) {
		Print(L"lintel: the size of %s cannot be read\n", path);
		return FALSE;
	}
	bytes = info->FileSize;
	FreePool(info);
	if (bytes == 0 || bytes > FILE_BYTES_MAX) {
		Print(L"lintel: %s has %ld bytes; it must have 1 byte to 2 GiB\n", path, bytes);
		return FALSE;
	}
	if (!pages_below_4g(bytes, &pages))
		return FALSE;
	out->at = pages;
	out->bytes = bytes;
	return read_whole(file, path, out);
}

BOOLEAN file_read(EFI_FILE_HANDLE root, CHAR16 *path, BOOLEAN needed, struct uefi_file *out)
{
	EFI_FILE_HANDLE file;
	EFI_STATUS status;
	BOOLEAN done;

	out->at = NULL;
	out->bytes = 0;
	status = root->Open(root, &file, path, EFI_FILE_MODE_READ, 0);
	if (status == EFI_NOT_FOUND && !needed)
		return TRUE;
	if (EFI_ERROR(status)) {
		Print(L"lintel: %s cannot be opened: %r\n", path, status);
		return FALSE;
	}
	done = read_opened(file, path, out);
	file->Close(file);
	return done;
}
