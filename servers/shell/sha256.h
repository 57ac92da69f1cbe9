/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256.h - SHA-256 as FIPS 180-4 defines it. Pure; any number of contexts side by side. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_TEXT_BYTES 65 /* hexadecimal, with its NUL */
#define SHA256_BLOCK_BYTES 64

struct sha256 {
	uint32_t state[8];
	uint64_t bytes; /* hashed so far, the partial block included */
	uint8_t block[SHA256_BLOCK_BYTES];
};

void sha256_start(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t bytes);
void sha256_finish(struct sha256 *h, uint8_t digest[SHA256_BYTES]);

/* Lower-case hexadecimal, and back; sha256_parse answers 0 where the 64 characters are not
 * hexadecimal. */
void sha256_text(const uint8_t digest[SHA256_BYTES], char text[SHA256_TEXT_BYTES]);
int sha256_parse(const char *text, uint8_t digest[SHA256_BYTES]);
