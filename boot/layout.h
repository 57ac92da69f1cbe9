/* SPDX-License-Identifier: GPL-2.0-only */
/* layout.h - where the image is linked and loaded, and what the boot-time page tables show.
 * Rules: plain numbers only; C, the assembler and the linker script all read this file.
 *
 *   virtual               shows                          by
 *   0                     physical 0..4 GiB              2 MiB leaves, until mm_init
 *   BOOT_DIRECT_MAP       physical 0..4 GiB              2 MiB leaves, until mm_init
 *   BOOT_IMAGE_VIRTUAL    physical 0..2 GiB              2 MiB leaves, until mm_init
 *
 * The image begins at 2 MiB, so that a 2 MiB leaf can begin with it, and ends below 8 MiB, where UEFI firmware
 * for virtual machines keeps data of its own. */
#pragma once

#define BOOT_IMAGE_VIRTUAL 0xffffffff80000000
#define BOOT_IMAGE_PHYSICAL 0x200000
#define BOOT_IMAGE_LIMIT 0x800000
#define BOOT_DIRECT_MAP 0xffff800000000000
#define BOOT_MAPPED_BYTES 0x100000000
#define BOOT_STACK_BYTES 0x4000
