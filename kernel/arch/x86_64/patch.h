/* SPDX-License-Identifier: GPL-2.0-only */
/* patch.h - instructions that only some processors have. They stand in the code between PATCH_BEGIN and PATCH_END;
 * patch_apply() overwrites them with a no-op at boot, before the text becomes read-only, where the feature is not used.
 * Each assembly file keeps a list of its own: PATCH_LIST_BEGIN at its top, PATCH_LIST_END at its end. */
#pragma once

#define PATCH_BYTES_MAX 8

#ifdef __ASSEMBLER__
.macro PATCH_LIST_BEGIN name
	.pushsection .rodata.patch, "a"
	.balign	8
	.globl	\name\()_begin
\name\()_begin:
	.popsection
.endm
.macro PATCH_LIST_END name
	.pushsection .rodata.patch, "a"
	.globl	\name\()_end
\name\()_end:
	.popsection
.endm
.macro PATCH_BEGIN
771:
.endm
.macro PATCH_END feature
772:
	.pushsection .rodata.patch, "a"
	.quad	771b
	.long	772b - 771b
	.long	\feature
	.popsection
.endm
.macro USER_ACCESS_BEGIN
	PATCH_BEGIN
	stac
	PATCH_END FEATURE_SMAP
.endm
.macro USER_ACCESS_END
	PATCH_BEGIN
	clac
	PATCH_END FEATURE_SMAP
.endm
#else
#include <lintel/types.h>

struct patch {
	uint64_t address;
	uint32_t bytes;   /* 1..PATCH_BYTES_MAX */
	uint32_t feature; /* enum cpu_feature */
};
extern const struct patch entry_patches_begin[], entry_patches_end[];
extern const struct patch usercopy_patches_begin[], usercopy_patches_end[];

void patch_apply(uint32_t features); /* once, on the boot CPU, while the direct map still reaches the text */
#endif
