/* SPDX-License-Identifier: GPL-2.0-only */
/* pvh.S - the PVH entry: an ELF note that names a 32-bit entry point (Xen, docs/misc/pvh.pandoc).
 * State at the entry: 32-bit protected mode, flat segments, paging off, ebx = struct hvm_start_info. */

#include "boot/layout.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .note.Xen, "a", @note
	.balign	4
	.long	2f - 1f
	.long	4f - 3f
	.long	XEN_ELFNOTE_PHYS32_ENTRY
1:	.asciz	"Xen"
2:	.balign	4
3:	.quad	pvh_start
4:	.balign	4

	.section .boot, "ax"
	.code32
pvh_start:
	movl	%ebx, %edi
	movl	$boot_from_pvh - BOOT_IMAGE_VIRTUAL, %ebp
	jmp	boot_enter

	.section .note.GNU-stack, "", @progbits
