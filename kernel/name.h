/* SPDX-License-Identifier: GPL-2.0-only */
/* name.h - the names that user code gives to processes and threads: for people who read lists,
 * never looked up. */
#pragma once

#include "kernel/arch.h"

#define KERNEL_NAME_BYTES 32 /* with the NUL */

/* ERR_ARGS (too long), ERR_FAULT, ERR_AGAIN (a pager must run). What cannot be printed becomes
 * '?'. */
static inline MUST_USE err_t name_from_user(char out[KERNEL_NAME_BYTES], const char __user *name, uint64_t length)
{
	err_t err;

	if (length >= KERNEL_NAME_BYTES)
		return ERR_ARGS;
	err = copy_from_user(out, name, length);
	if (err != OK)
		return err;
	out[length] = '\0';
	for (uint64_t i = 0; i < length; i++)
		if (out[i] < ' ' || out[i] > '~')
			out[i] = '?';
	return OK;
}
