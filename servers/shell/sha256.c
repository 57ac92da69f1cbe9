/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256.c - SHA-256, FIPS 180-4. Names as in the standard: Ch, Maj, the sums and sigmas of
 * section 4.1.2. The message schedule is kept in 16 words and extended in place; eight rounds
 * are written out, so that the working variables a..h rotate by name and nothing is moved. */
#include "shell/sha256.h"

#include <string.h>

/* Section 4.2.2. */
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static inline uint32_t rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

#define CH(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define SUM0(x) (rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22))
#define SUM1(x) (rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25))
#define SIGMA0(x) (rotr(x, 7) ^ rotr(x, 18) ^ ((x) >> 3))
#define SIGMA1(x) (rotr(x, 17) ^ rotr(x, 19) ^ ((x) >> 10))

/* W[t] of section 6.2.2 step 1, over a ring of 16. */
#define EXTEND(t) \
	(w[(t) & 15] += SIGMA1(w[((t) - 2) & 15]) + w[((t) - 7) & 15] + SIGMA0(w[((t) - 15) & 15]))

/* Step 3; the caller renames the variables from round to round. */
#define ROUND(a, b, c, d, e, f, g, h, kt, wt)                      \
	do {                                                           \
		uint32_t t1 = (h) + SUM1(e) + CH(e, f, g) + (kt) + (wt); \
		(d) += t1;                                                 \
		(h) = t1 + SUM0(a) + MAJ(a, b, c);                         \
	} while (0)

#define EIGHT_ROUNDS(t, WORD)                             \
	do {                                                  \
		ROUND(a, b, c, d, e, f, g, h, k[(t)], WORD((t))); \
		ROUND(h, a, b, c, d, e, f, g, k[(t) + 1], WORD((t) + 1)); \
		ROUND(g, h, a, b, c, d, e, f, k[(t) + 2], WORD((t) + 2)); \
		ROUND(f, g, h, a, b, c, d, e, k[(t) + 3], WORD((t) + 3)); \
		ROUND(e, f, g, h, a, b, c, d, k[(t) + 4], WORD((t) + 4)); \
		ROUND(d, e, f, g, h, a, b, c, k[(t) + 5], WORD((t) + 5)); \
		ROUND(c, d, e, f, g, h, a, b, k[(t) + 6], WORD((t) + 6)); \
		ROUND(b, c, d, e, f, g, h, a, k[(t) + 7], WORD((t) + 7)); \
	} while (0)

#define LOADED(t) w[(t) & 15]

static void hash_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	for (; blocks; blocks--, data += SHA256_BLOCK_BYTES) {
		uint32_t w[16];
		memcpy(w, data, sizeof w);
		for (int i = 0; i < 16; i++)
			w[i] = __builtin_bswap32(w[i]);
		uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
		uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
		EIGHT_ROUNDS(0, LOADED);
		EIGHT_ROUNDS(8, LOADED);
		for (int t = 16; t < 64; t += 16) {
			EIGHT_ROUNDS(t, EXTEND);
			EIGHT_ROUNDS(t + 8, EXTEND);
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		state[5] += f;
		state[6] += g;
		state[7] += h;
	}
}

/* Section 5.3.3. */
void sha256_start(struct sha256 *h)
{
	static const uint32_t initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	memcpy(h->state, initial, sizeof initial);
	h->bytes = 0;
}

void sha256_add(struct sha256 *h, const void *data, size_t bytes)
{
	const uint8_t *in = data;
	size_t held = h->bytes % SHA256_BLOCK_BYTES;
	h->bytes += bytes;
	if (held) {
		size_t take = SHA256_BLOCK_BYTES - held < bytes ? SHA256_BLOCK_BYTES - held : bytes;
		memcpy(h->block + held, in, take);
		in += take;
		bytes -= take;
		if (held + take < SHA256_BLOCK_BYTES)
			return;
		hash_blocks(h->state, h->block, 1);
	}
	hash_blocks(h->state, in, bytes / SHA256_BLOCK_BYTES);
	memcpy(h->block, in + bytes / SHA256_BLOCK_BYTES * SHA256_BLOCK_BYTES, bytes % SHA256_BLOCK_BYTES);
}

/* Section 5.1.1: a one bit, zeros, the length in bits as 64 bits, most significant byte first. */
void sha256_finish(struct sha256 *h, uint8_t digest[SHA256_BYTES])
{
	static const uint8_t padding[SHA256_BLOCK_BYTES] = { 0x80 };
	uint64_t bits = __builtin_bswap64(h->bytes * 8);
	size_t held = h->bytes % SHA256_BLOCK_BYTES;
	sha256_add(h, padding, (held < 56 ? 56 : 120) - held);
	sha256_add(h, &bits, sizeof bits);
	for (int i = 0; i < 8; i++) {
		uint32_t word = __builtin_bswap32(h->state[i]);
		memcpy(digest + 4 * i, &word, 4);
	}
}

void sha256_text(const uint8_t digest[SHA256_BYTES], char text[SHA256_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < SHA256_BYTES; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	text[2 * SHA256_BYTES] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int sha256_parse(const char *text, uint8_t digest[SHA256_BYTES])
{
	for (int i = 0; i < SHA256_BYTES; i++) {
		int high = hex_value(text[2 * i]);
		if (high < 0)
			return 0;
		int low = hex_value(text[2 * i + 1]);
		if (low < 0)
			return 0;
		digest[i] = (uint8_t)(high << 4 | low);
	}
	return 1;
}
