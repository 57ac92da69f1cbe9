/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32c.h - the Castagnoli CRC (polynomial 0x1edc6f41, reflected), by the CPU's instruction where
 * it has it. */
#pragma once

#include <lintel/types.h>

/* Continue `crc` (0 at the start) over the bytes. crc32c(0, "123456789", 9) = 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);
