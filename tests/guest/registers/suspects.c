/* SPDX-License-Identifier: BSD-2-Clause */
/* suspects.c - see suspects.h. */
#include "suspects.h"

#include <lintel/info.h>
#include <lintel/process.h>
#include <string.h>

struct general client_general;
struct vectors client_vectors __attribute__((aligned(64)));
uint64_t pattern[4] __attribute__((aligned(32)));
uint32_t pattern_mxcsr;
uint16_t pattern_x87;
uint8_t with_avx, with_fsgsbase;

void side_begin(uint64_t with, uint32_t mxcsr, uint16_t x87)
{
	const struct sysinfo_page *page = lintel_sysinfo();
	uint32_t features = page != NULL ? page->features : 0;

	with_avx = (features & CPU_AVX) != 0;
	with_fsgsbase = (features & CPU_FSGSBASE) != 0;
	for (size_t i = 0; i < ARRAY_LEN(pattern); i++)
		pattern[i] = with;
	pattern_mxcsr = mxcsr;
	pattern_x87 = x87;
}

static uint64_t all_bits(const uint8_t *bytes, size_t first, size_t end)
{
	uint64_t bits = 0;

	for (size_t i = first; i < end; i++)
		bits |= bytes[i];
	return bits;
}

uint32_t vectors_suspects(const struct vectors *vectors, uint32_t mxcsr, uint16_t x87)
{
	uint32_t suspects = 0, seen_mxcsr;
	uint16_t seen_x87;

	memcpy(&seen_x87, vectors->fx, 2);
	memcpy(&seen_mxcsr, vectors->fx + 24, 4);
	if (seen_mxcsr != mxcsr || seen_x87 != x87)
		suspects |= SUSPECT_CONTROL;
	/* status, tags, instruction, operand; the stack */
	if (all_bits(vectors->fx, 2, 24) | all_bits(vectors->fx, 32, 160))
		suspects |= SUSPECT_X87;
	if (all_bits(vectors->fx, 160, 416))
		suspects |= SUSPECT_XMM;
	if (all_bits(vectors->high, 0, sizeof(vectors->high)))
		suspects |= SUSPECT_YMM;
	return suspects;
}

uint32_t either_suspects(const struct general *g, uint64_t rip)
{
	uint32_t suspects = 0;

	if (g->rcx != 0 && g->rcx != rip)
		suspects |= SUSPECT_RCX;
	if (g->r11 != 0 && g->r11 != FLAGS_ALWAYS)
		suspects |= SUSPECT_R11;
	if (g->flags != FLAGS_ALWAYS)
		suspects |= SUSPECT_FLAGS;
	if (g->gs != 0)
		suspects |= SUSPECT_GS;
	return suspects;
}

uint32_t client_suspects(err_t err)
{
	const struct general *g = &client_general;
	uint32_t suspects = either_suspects(g, (uintptr_t)client_after_call);

	if ((int64_t)g->rax != err)
		suspects |= SUSPECT_RAX;
	if (g->rdi != 0)
		suspects |= SUSPECT_RDI;
	if ((g->rdx | g->r10 | g->r8 | g->r9 | g->r12) != 0 || (err != OK && g->rsi != 0))
		suspects |= SUSPECT_WORDS;
	if (err != OK && g->r13 != 0)
		suspects |= SUSPECT_HANDLES;
	if ((g->rbx | g->rbp) != 0)
		suspects |= SUSPECT_WINDOW_0;
	if ((g->r14 | g->r15) != 0)
		suspects |= SUSPECT_WINDOW_1;
	if (with_fsgsbase && g->fs != (uintptr_t)__builtin_thread_pointer())
		suspects |= SUSPECT_FS;
	return suspects;
}

uint32_t own_suspects(void)
{
	uint32_t suspects = 0, mxcsr;
	uint16_t x87;

	memcpy(&x87, client_vectors.fx, 2);
	memcpy(&mxcsr, client_vectors.fx + 24, 4);
	if (mxcsr != CLIENT_MXCSR || x87 != CLIENT_X87)
		suspects |= SUSPECT_CONTROL;
	for (size_t i = 160; i < 416; i++)
		if (client_vectors.fx[i] != (uint8_t)CLIENT_PATTERN)
			suspects |= SUSPECT_XMM;
	for (size_t i = 0; with_avx && i < sizeof(client_vectors.high); i++)
		if (client_vectors.high[i] != (uint8_t)CLIENT_PATTERN)
			suspects |= SUSPECT_YMM;
	return suspects;
}
