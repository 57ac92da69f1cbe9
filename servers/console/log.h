/* SPDX-License-Identifier: BSD-2-Clause */
/* log.h - the kernel's log on the console: while we hold the UART's interrupt, the kernel does not
 * write there itself. */
#pragma once

#include <lintel/types.h>

struct log_sink {
	bool (*at_line_start)(void);
	/* Whole lines, from the start of a line on; what stood on the line is drawn again below them. May block. */
	void (*show)(const uint8_t *lines, uint32_t bytes);
};

/* Start the thread that shows what is logged. ERR_DENIED: there is no SYSTEM resource; ERR_NO_MEMORY. */
MUST_USE err_t log_start(const struct log_sink *sink);

/* Has all that was logged been given to the sink? */
bool log_is_shown(void);
