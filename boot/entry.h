/* SPDX-License-Identifier: GPL-2.0-only */
/* entry.h - the C functions that enter64.S jumps to. Each takes the physical address of what its
 * loader left, and none returns. */
#pragma once

#include "boot/boot_info.h"

NORETURN void boot_from_pvh(uint64_t start_info);
NORETURN void boot_from_multiboot2(uint64_t information);
NORETURN void boot_from_uefi(uint64_t physical);
