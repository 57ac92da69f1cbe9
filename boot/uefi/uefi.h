/* SPDX-License-Identifier: GPL-2.0-only */
/* uefi.h - what the parts of the UEFI application share. Context: boot services, one CPU, identity-mapped.
 * Functions return false after they have said why on the console. Memory is not given back on failure: the firmware
 * frees an application's files, and the few pages do not matter to the next boot option. */
#pragma once

#include <efi.h>
#include <efilib.h>

#include "boot/boot_info.h"

struct uefi_file {
	uint8_t *at; /* page aligned, below 4 GiB; NULL: not there */
	UINT64 bytes;
};

/* file.c. A missing file is an error only if it is `needed`. */
BOOLEAN file_read(EFI_FILE_HANDLE root, CHAR16 *path, BOOLEAN needed, struct uefi_file *out);
BOOLEAN pages_below_4g(UINT64 bytes, VOID **out);

/* handoff.c. Does not return once boot services have ended. */
BOOLEAN handoff(EFI_HANDLE application, struct boot_raw *raw, UINT64 entry);
