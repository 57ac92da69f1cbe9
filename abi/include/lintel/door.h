/* SPDX-License-Identifier: BSD-2-Clause */
/* door.h - what a door call carries, and in which register.
 *
 * A door call is synchronous and runs on the caller's own CPU and thread. It carries six words, two
 * handles and two windows; everything travels in registers.
 *
 *   register  door_call, in                server's entry         door_return, in  caller's return
 *   rax       call number                  0                      call number      err_t
 *   rdi       handle | timeout_us << 32    badge                  err_t            0
 *   rsi       word 0                       word 0                 word 0           word 0
 *   rdx       word 1                       word 1                 word 1           word 1
 *   r10       word 2                       word 2                 word 2           word 2
 *   r8        word 3                       word 3                 word 3           word 3
 *   r9        word 4                       word 4                 word 4           word 4
 *   r12       word 5                       word 5                 word 5           word 5
 *   r13       handles 0 | 1 << 32 (moved)  the same, in B's table handles (moved)  the same
 *   rbx       window 0 address             address in B, or 0     0                0
 *   rbp       length | WINDOW_WRITE        length | WINDOW_WRITE  0                0
 *   r14       window 1 address             address in B, or 0     0                0
 *   r15       length | WINDOW_WRITE        length | WINDOW_WRITE  0                0
 *   rsp       kept for the return          top of the activation  -                the caller's
 *   FS base   kept for the return          the activation's TLS   -                the caller's
 *   Flags, vector and x87 registers: zero (or initial) after every crossing; rcx and r11 hold the
 *   receiver's own rip and flags, if anything. MXCSR and the x87 control word are the kernel's to
 *   restore: the caller finds its own again.
 *
 * timeout_us is relative, 0 = no deadline. The caller's stub saves its own callee-saved registers.
 * The words and handles of a failed call (err_t is not the server's but the kernel's: BAD_HANDLE,
 * FAULT, PEER_DIED, ...) are zero. Handles are moved at the point of no return; when a call is
 * refused before it, the caller keeps them. In a reply that nobody can take (the caller died, its
 * deadline passed, its table is full) they are closed. A window is byte-exact for the message,
 * page-granular for protection: the server can reach the whole pages that hold the buffer. Offsets
 * within the page are kept. Windows end when the call ends. */
#pragma once

#include <lintel/types.h>

#define DOOR_WORDS 6
#define DOOR_HANDLES 2
#define DOOR_WINDOWS 2
#define DOOR_DEPTH_MAX 16                  /* nested calls of one thread */
#define WINDOW_WRITE (1ull << 63)          /* in the length: the server may write the buffer */
#define WINDOW_BYTES_MAX (64ull << 20)     /* of one window */
#define ACTIVATIONS_PER_CPU_MAX 1024

struct door_window {
	void *base;      /* address in the space of whoever reads the structure */
	uint64_t length; /* bytes | WINDOW_WRITE */
};

/* One message as C sees it, on either side. libc's door_call() stub and the kit's entry stub use
 * this layout (offsets are checked by static assertions beside the assembly). */
struct door_message {
	uint64_t word[DOOR_WORDS];
	handle_t handle[DOOR_HANDLES];
	struct door_window window[DOOR_WINDOWS];
};
