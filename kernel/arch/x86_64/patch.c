/* SPDX-License-Identifier: GPL-2.0-only */
/* patch.c - see patch.h. Written through the direct map: the image's own mapping may be read-only. */
#include "kernel/arch/x86_64/patch.h"

#include "kernel/arch/x86_64/layout.h"
#include "mm/port.h"

/* Intel SDM volume 2, NOP: "recommended multi-byte sequences". */
static const uint8_t no_ops[PATCH_BYTES_MAX + 1][PATCH_BYTES_MAX] = {
	[1] = { 0x90 },
	[2] = { 0x66, 0x90 },
	[3] = { 0x0f, 0x1f, 0x00 },
	[4] = { 0x0f, 0x1f, 0x40, 0x00 },
	[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	[6] = { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	[7] = { 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
	[8] = { 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
};

static void patch_list(const struct patch *patch, const struct patch *end, uint32_t features)
{
	for (; patch != end; patch++) {
		volatile uint8_t *code = phys_to_virt(PADDR(patch->address - IMAGE_BASE));

		ASSERT(patch->bytes > 0 && patch->bytes <= PATCH_BYTES_MAX);
		if (features & patch->feature)
			continue;
		for (uint32_t i = 0; i < patch->bytes; i++)
			code[i] = no_ops[patch->bytes][i];
	}
}

void patch_apply(uint32_t features)
{
	patch_list(entry_patches_begin, entry_patches_end, features);
	patch_list(usercopy_patches_begin, usercopy_patches_end, features);
	/* A serialising instruction before the new code runs (Intel SDM volume 3, 9.1.3). */
	uint32_t eax = 0, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx) : : "memory");
}
