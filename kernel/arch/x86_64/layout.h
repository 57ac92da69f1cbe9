/* SPDX-License-Identifier: GPL-2.0-only */
/* layout.h - the virtual map, and the numbers that C and assembly share.
 * Rules: plain numbers only, because entry.S reads this file; trap.c asserts every offset against the structures.
 *
 *   from                  to                    what                                             made by
 *   0000_0000_0000_1000   0000_7fff_ffff_efff   user half of the current space                   mm/space
 *   ffff_8000_0000_0000   ffff_bfff_ffff_ffff   direct map of RAM and PMEM, RW NX                mm/kernel_space
 *   ffff_c000_0000_0000   ffff_c0ff_ffff_ffff   device registers                                 mm/kernel_space
 *   ffff_c800_0000_0000   ffff_c8ff_ffff_ffff   kernel stacks with guards                        mm/kernel_space
 *   ffff_ffff_8000_0000   ffff_ffff_ffff_ffff   the image: text RX, rodata R, data RW NX         linker.ld */
#pragma once

#define IMAGE_BASE 0xffffffff80000000 /* image address - this = physical address */
#define USER_LIMIT 0x00007ffffffff000 /* USER_END, for assembly */

/* Selectors. sysret wants user data at base + 8 and user code at base + 16 (Intel SDM volume 2, SYSRET). */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define SYSRET_BASE 0x18
#define USER_SS 0x23
#define USER_CS 0x2b
#define TSS_SELECTOR 0x30

/* struct cpu, by GS */
#define CPU_KSTACK_TOP 8
#define CPU_USER_RSP 16
#define CPU_RETURN_WORK 32
#define CPU_INDEX 36

/* struct trap_frame */
#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R12 24
#define FRAME_RBP 32
#define FRAME_RBX 40
#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RCX 88
#define FRAME_RAX 80
#define FRAME_VECTOR 120
#define FRAME_ERROR 128
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_BYTES 176
#define VECTOR_SYSCALL 0x100 /* TRAP_SYSCALL */

/* RFLAGS */
#define FLAG_FIXED 0x2
#define FLAG_TF 0x100
#define FLAG_IF 0x200
#define FLAG_DF 0x400
#define FLAG_RF 0x10000
#define FLAG_AC 0x40000
#define SYSCALL_FLAG_MASK 0x47700 /* cleared by syscall: AC NT IOPL DF IF TF */

/* Interrupt vectors; 0..31 are the processor's exceptions. */
#define VECTOR_LEGACY 0x20      /* 16 for the masked 8259s: only spurious ones come */
#define VECTOR_LINE_FIRST 0x30  /* device lines, given out by ioapic.c */
#define VECTOR_LINE_LAST 0xdf
#define VECTOR_TIMER 0xf0
#define VECTOR_RESCHEDULE 0xf1
#define VECTOR_ROUND 0xf2
#define VECTOR_APIC_ERROR 0xfe
#define VECTOR_SPURIOUS 0xff
#define VECTORS 256

/* Interrupt stack table slots. The word at the top of each such stack is the CPU's struct cpu *. */
#define IST_NMI 1
#define IST_DOUBLE_FAULT 2
#define IST_MACHINE_CHECK 3
#define IST_STACKS 3

/* enum cpu_feature bits at which code is patched once at boot (patch.h) */
#define FEATURE_SMAP 0x4
#define FEATURE_FSGSBASE 0x10
#define FEATURE_ERMS 0x8000
