/* SPDX-License-Identifier: BSD-2-Clause */
/* door_call.h - the caller's side of a door. */
#pragma once

#include <lintel/door.h>

/* Call `door`; `message` holds what is sent and, afterwards, what came back (zeroes where nothing did; the windows are
 * left as they were). timeout_us is relative, 0 = no deadline. Returns the server's answer, or the kernel's refusal:
 * see syscalls.def. Handles in `message` are moved. */
err_t door_call(handle_t door, uint32_t timeout_us, struct door_message *message);

#define DOOR_SCRATCH_BYTES (16u << 10)

/* This thread's own page-aligned buffer of DOOR_SCRATCH_BYTES for the small arguments of a call; NULL when memory is
 * out. In an activation: the activation's own. Freed when the thread ends. */
void *door_scratch(void);
