/* SPDX-License-Identifier: BSD-2-Clause */
/* stretch.h - tells a machine that looks on (tools/meter) where the repetition of a row begins and ends that it is to
 * look at: the last. Two no-ops of their own bytes, which nothing else contains. */
#pragma once

#define STRETCH_BEGIN 0x52545301 /* "\x01STR" */
#define STRETCH_END 0x52545302

static inline void stretch_begin(void)
{
	__asm__ volatile("nopl %c0(%%rax, %%rax)"
					 :
					 : "i"(STRETCH_BEGIN)
					 : "memory");
}

static inline void stretch_end(void)
{
	__asm__ volatile("nopl %c0(%%rax, %%rax)"
					 :
					 : "i"(STRETCH_END)
					 : "memory");
}
