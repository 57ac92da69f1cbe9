/* SPDX-License-Identifier: GPL-2.0-only */
/* main.h - where boot/ hands over. */
#pragma once

#include "boot/boot_info.h"

NORETURN void kernel_main(const struct boot_info *info);
