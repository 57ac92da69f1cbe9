/* SPDX-License-Identifier: BSD-2-Clause */
/* print.h - last words, without stdio or the heap: one line to descriptor 2. Private to libc. */
#pragma once

#include <lintel/compiler.h>

/* Writes PREFIX WHAT [0xVALUE] and a newline; VALUE is left out when it is 0. */
void print_error(const char *prefix, const char *what, uint64_t value);
