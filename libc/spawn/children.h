/* SPDX-License-Identifier: BSD-2-Clause */
/* children.h - the processes that posix_spawn started and that nobody has waited for yet. Private to libc. */
#pragma once

#include <lintel/types.h>

/* Takes the handle over, also on failure. 0, ENOMEM, EIO. */
MUST_USE int child_add(handle_t process, int *pid);
