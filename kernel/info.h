/* SPDX-License-Identifier: GPL-2.0-only */
/* info.h - what system_info tells, and nothing else. */
#pragma once

#include "boot/boot_info.h"

#define LINTEL_VERSION "0.1"

void info_init(const struct boot_info *boot);
