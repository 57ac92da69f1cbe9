/* SPDX-License-Identifier: GPL-2.0-only */
/* interrupt.h - a device's interrupt line as an object to wait for.
 *
 * A level-triggered line is masked when it comes and unmasked by the acknowledgement: look after
 * the device, then acknowledge. An edge-triggered line stays open, so that no edge is lost:
 * acknowledge, then look after the device; an edge that comes meanwhile sets the signal again. */
#pragma once

#include "kernel/object.h"

struct interrupt {
	struct object object;
	uint32_t gsi; /* [I] */
};

#define INTERRUPT_LINES 256u

void interrupt_init(void);
/* from arch, interrupts off; a level-triggered line is masked already */
void interrupt_arrived(uint32_t gsi);
extern const struct object_class interrupt_class;
