/* SPDX-License-Identifier: BSD-2-Clause */
/* door.c - the promises that door_call.S relies on. */
#include <lintel/door_call.h>
#include <lintel/syscall_numbers.h>

_Static_assert(SYSCALL_door_call == 1, "door_call.S has the number");
_Static_assert(offsetof(struct door_message, word) == 0, "door_call.S");
_Static_assert(offsetof(struct door_message, handle) == 48, "door_call.S");
_Static_assert(offsetof(struct door_message, window) == 56, "door_call.S");
_Static_assert(sizeof(struct door_window) == 16, "door_call.S");
_Static_assert(sizeof(struct door_message) == 88, "door_call.S");
