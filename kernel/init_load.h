/* SPDX-License-Identifier: GPL-2.0-only */
/* init_load.h - the only program that the kernel loads itself: bin/init of the boot archive. */
#pragma once

#include "boot/boot_info.h"

/* panics with one clear line if there is no usable init */
void init_load(const struct boot_info *boot);
