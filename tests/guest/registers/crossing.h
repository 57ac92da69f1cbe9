/* SPDX-License-Identifier: BSD-2-Clause */
/* crossing.h - both sides of a door call, with every register that the ABI gives no meaning filled with a pattern, and
 * every register looked at on the other side. Nothing of libc or the kit touches a register in between (crossing.S).
 * One call at a time: what was seen is in variables. */
#pragma once

#include <lintel/types.h>

/* Whatever there is, at one moment; in the order in which crossing.S pushes it. */
struct general {
	uint64_t gs, fs; /* bases; 0 where user code cannot read them */
	uint64_t r15, r14, rbp, rbx, r13, r12, r9, r8, r10, rdx, rsi, rdi, rax, rcx, r11, flags;
};
struct vectors {
	uint8_t fx[512];       /* FXSAVE: x87 control 0, status 2, tags 4, MXCSR 24, x87 from 32, XMM from 160 to 415 */
	uint8_t high[16 * 16]; /* upper halves of the YMM registers */
};

/* The registers of a call that mean something. */
struct crossing {
	uint64_t door; /* handle | timeout_us << 32 */
	uint64_t word[6];
	uint64_t handles;
	uint64_t window[4]; /* 0 length: the address register is filled, too */
};

/* ---- the client ---- */
extern struct general client_general;
extern struct vectors client_vectors;
err_t client_call(const struct crossing *call);            /* what the kernel said; what it left is in client_* */
uint64_t client_touch(const volatile uint64_t *address);   /* load a word with everything filled */
extern const char client_after_call[];                     /* the instruction after `syscall` */

/* ---- the server: what word 0 asks it to do, with everything filled ---- */
enum action { ACTION_RETURN, ACTION_SLEEP, ACTION_SPIN, ACTION_EXIT, ACTION_FAULT, ACTION_REFUSED };
/* ACTION_SLEEP: word 1 until when. ACTION_SPIN: word 1 turns. ACTION_REFUSED: a reply with a handle that is not there,
 * then one without. */
void server_entry(void);
/* For server_entry: looks at what it sees, pages if that is what is asked, and gives word 0 of the reply. */
uint64_t server_look(const struct general *general, const struct vectors *vectors);

/* ---- both ---- */
extern uint64_t pattern[4];     /* of this side */
extern uint32_t pattern_mxcsr;
extern uint16_t pattern_x87;
extern uint8_t with_avx, with_fsgsbase;
#define CLIENT_PATTERN 0xc1c1c1c1c1c1c1c1ull
#define SERVER_PATTERN 0x5e5e5e5e5e5e5e5eull
#define CLIENT_MXCSR 0x7f80u /* to zero, all masked */
#define CLIENT_X87 0x0f7fu
#define SERVER_MXCSR 0x5f80u
#define SERVER_X87 0x0b7fu
#define INITIAL_MXCSR 0x1f80u
#define INITIAL_X87 0x037fu
#define FLAGS_ALWAYS 0x202u  /* IF and the bit that is always 1 */
