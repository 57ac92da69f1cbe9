/* SPDX-License-Identifier: BSD-2-Clause */
/* layout.h - what agent_code.S and C agree on; asserted in agent.c. */
#pragma once

/* Where things are in an agent. */
#define AGENT_CODE 0x400000
#define AGENT_BOARD 0x500000
#define AGENT_MEMORY 0x600000 /* of its own */
#define AGENT_PAGED 0x700000  /* AGENT_PAGED_BYTES that a pager supplies; the code wraps at the next bit */
#define AGENT_PAGED_BYTES 0x10000

/* struct slot */
#define SLOT_DOOR 0
#define SLOT_WORDS 8
#define SLOT_HANDLES 56
#define SLOT_WINDOWS 64
#define SLOT_FLAGS 96
#define SLOT_CURSOR 104
#define SLOT_BEGUN 112
#define SLOT_RESULT 120
#define SLOT_NEXT 128
#define SLOT_SELF 136
#define SLOT_ENTERED 144
#define SLOT_RELEASE 152
#define SLOT_VICTIM 160
#define SLOT_CPUS 168
#define SLOT_ACTIVATIONS 176
#define SLOT_PARENT 184
#define SLOT_INDEX 192
#define SLOT_SAVED 256 /* one word an activation */

#define FLAG_TOUCH 1        /* load from the cursor before each call */
#define FLAG_WINDOW 2       /* window 0 begins at the cursor */

/* Word 0 of a call to an agent: what it is to do. Any other is a pager's message. */
#define DO_RETURN 0
#define DO_SPIN 1    /* word 1 times, or until SLOT_RELEASE is set */
#define DO_SLEEP 2   /* word 1 ns */
#define DO_CALL 3    /* SLOT_NEXT: words 2 and 3 become words 0 and 1, word 4 is the timeout; the rest is handed on */
#define DO_EXIT 4    /* the process, after word 1 turns */
#define DO_FAULT 5   /* likewise */
#define DO_KILL 6    /* SLOT_VICTIM */
#define DO_TOUCH 7   /* every page of both windows */
#define DO_KEEP 8    /* handle 0 becomes SLOT_VICTIM */
#define DO_FOLLOW 9  /* handle 0, or nothing, becomes SLOT_NEXT */
#define DO_RECURSE 10 /* word 1 deep */
#define DO_COUNT 11

#define STATUS_EXIT 7
#define STATUS_KILLED_BY_SERVER 8

#define NUMBER_DOOR_CALL 1
#define NUMBER_DOOR_RETURN 2
#define NUMBER_CLOCK_GET 4
#define NUMBER_HANDLE_CLOSE 7
#define NUMBER_HANDLE_DUPLICATE 8
#define NUMBER_PROCESS_EXIT 15
#define NUMBER_PROCESS_KILL 16
#define NUMBER_THREAD_SLEEP 26
#define NUMBER_DOOR_CREATE 46
#define NUMBER_DOOR_DONATE 49
