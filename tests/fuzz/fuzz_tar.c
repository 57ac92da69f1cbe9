/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_tar.c - arbitrary bytes as a boot archive: refused or indexed, never followed out of
 * bounds. Header checksums are made right first, or else nothing behind them would be reached.
 * link: servers/kit/tar.c servers/kit/fs.c servers/fs/bootfs/index.c */
#include "fs/bootfs/index.h"
#include "kit/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct index index;
	const char *reason;
	uint32_t at;
	uint8_t *copy = malloc(bytes != 0 ? bytes : 1);

	if (copy == NULL)
		return 0;
	memcpy(copy, data, bytes);
	for (size_t block = 0; block + TAR_BLOCK_BYTES <= bytes; block += TAR_BLOCK_BYTES) {
		uint32_t sum = 8 * ' ';
		if (copy[block] & 0x80) /* left as it is */
			continue;
		for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
			sum += i >= 148 && i < 156 ? 0 : copy[block + i];
		char field[9];
		snprintf(field, sizeof(field), "%06o", sum);
		memcpy(copy + block + 148, field, 8);
	}
	if (index_build(&index, copy, bytes, &reason) == OK) {
		for (uint32_t i = 0; i < index.count; i++)
			if (index_walk(&index, index.entry[i].path, true, &at) == OK && index.entry[at - 1].bytes != 0 &&
					index.entry[at - 1].data[index.entry[at - 1].bytes - 1] == 1)
				continue;
		index_free(&index);
	}
	free(copy);
	return 0;
}
