/* SPDX-License-Identifier: GPL-2.0-only */
/* lock_check.h - what debug builds check at every lock: the order of ranks, who holds what. Release builds have none of
 * it; spin_is_held() of mm/port.h lives beside them. */
#pragma once

#include "mm/port.h"

void lock_check_order(struct spinlock *lock); /* before waiting: all locks held have a lower rank */
void lock_check_taken(struct spinlock *lock);
void lock_check_given(struct spinlock *lock);
