/* SPDX-License-Identifier: GPL-2.0-only */
/* call_quick.h - what call_fast.S and call_fast_pcid.S ask of C. */
#pragma once

#include "kernel/door.h"

/* The windows that the frame names, into the space of the activation, which is not yet taken; their addresses into the
 * frame. False: not that simple, nothing has changed. */
bool call_quick_map(struct activation *activation, struct trap_frame *frame);
/* Close them, all that are open being whole, while the server's root is loaded, and flush what may be cached. */
void call_quick_close(struct activation *activation);
