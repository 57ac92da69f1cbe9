/* SPDX-License-Identifier: GPL-2.0-only */
/* log_refusal_release.c - release builds refuse without a word. */
#include "kernel/log.h"

void log_refusal(const char *format, ...)
{
	(void)format;
}
