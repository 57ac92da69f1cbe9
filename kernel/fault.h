/* SPDX-License-Identifier: GPL-2.0-only */
/* fault.h - what becomes of a page fault or an exception: resolved, handed to a pager, or the end
 * of the process. */
#pragma once

#include "kernel/arch.h"
#include "mm/space.h"

/* Page fault of user mode: on return the access is made again, by the toucher or by nobody. */
void fault_handle(struct trap_frame *frame, vaddr_t address, enum access access);

/* Page fault inside copy_from_user and its kin: OK = try again, else what the copy returns. */
MUST_USE err_t fault_resolve(vaddr_t address, enum access access);

/* Another exception of user mode: the process that was executing ends. */
void exception_handle(struct trap_frame *frame);

/* The access cannot be made good: say so, and end the process whose code made it. */
void fault_refused(struct trap_frame *frame, vaddr_t address, err_t why);
/* The same, if it was a pager that did not supply the page; but in a window there are zeros from now on. */
void fault_pager_failed(struct trap_frame *frame, vaddr_t address, err_t why);
