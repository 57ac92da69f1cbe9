/* SPDX-License-Identifier: GPL-2.0-only */
/* multiboot2.S - the Multiboot2 header and its 32-bit entry (Multiboot2 Specification 2.0, 3.1 and 3.3).
 * State at the entry: 32-bit protected mode, flat segments, paging off, eax = magic, ebx = boot information. */

#include "boot/layout.h"

#define HEADER_MAGIC 0xe85250d6
#define LOADER_MAGIC 0x36d76289
#define ARCHITECTURE_I386 0
#define TAG_END 0
#define TAG_INFORMATION 1
#define TAG_ENTRY 3
#define TAG_MODULE_ALIGN 6
#define TAG_OPTIONAL 1
#define INFORMATION_MEMORY_MAP 6

	.section .boot.header, "a", @progbits
	.balign	8
header:
	.long	HEADER_MAGIC
	.long	ARCHITECTURE_I386
	.long	header_end - header
	.long	0x100000000 - (HEADER_MAGIC + ARCHITECTURE_I386 + (header_end - header))

	.balign	8
1:	.short	TAG_INFORMATION, 0
	.long	2f - 1b
	.long	INFORMATION_MEMORY_MAP
2:
	.balign	8
	.short	TAG_ENTRY, 0
	.long	12
	.long	multiboot2_start

	.balign	8
	.short	TAG_MODULE_ALIGN, 0
	.long	8

	.balign	8
	.short	TAG_END, 0
	.long	8
header_end:

	.section .boot, "ax"
	.code32
multiboot2_start:
	cmpl	$LOADER_MAGIC, %eax
	jne	1f
	movl	%ebx, %edi
	movl	$boot_from_multiboot2 - BOOT_IMAGE_VIRTUAL, %ebp
	jmp	boot_enter
1:	movl	$text_not_multiboot2, %esi
	jmp	boot_stop

text_not_multiboot2:
	.asciz	"lintel: the loader does not speak Multiboot2; stopped\r\n"

	.section .note.GNU-stack, "", @progbits
