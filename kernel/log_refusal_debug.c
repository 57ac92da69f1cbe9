/* SPDX-License-Identifier: GPL-2.0-only */
/* log_refusal_debug.c - debug builds say who was refused and why; at a bounded rate: user code decides how often. */
#include "kernel/log.h"

void log_refusal(const char *format, ...)
{
	__builtin_va_list arguments;
	uint32_t dropped;

	if (!log_refusal_allowed(&dropped))
		return;
	if (dropped > 0)
		log_line("refused: %u more", dropped);
	__builtin_va_start(arguments, format);
	log_vline(format, arguments);
	__builtin_va_end(arguments);
}
