/* SPDX-License-Identifier: GPL-2.0-only */
/* round.h - tlb_round() is in mm/port.h; tlb_round_handle() in kernel/arch.h: also called by
 * whoever waits with interrupts off. */
#pragma once

#include "kernel/arch.h"
