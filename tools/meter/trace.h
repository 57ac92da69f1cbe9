/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.h - the file that the plugin's mode `trace` writes: events, in the order in which they happened, the last of
 * which is TRACE_END, and behind it a struct trace_end. tests/crash reads it. Offsets are bytes of the range. */
#pragma once

#include <stdint.h>

#define TRACE_PAGE_SHIFT 12

enum trace_kind { TRACE_STORE, TRACE_STORE_NT, TRACE_WRITE_BACK, TRACE_FENCE, TRACE_MARK, TRACE_END };

struct trace_event {
	uint8_t kind;  /* enum trace_kind */
	uint8_t cpu;
	uint8_t bytes; /* stores: 1 to 8, not aligned */
	uint8_t reserved[5];
	uint64_t at;   /* stores and write-backs; a mark's number */
	uint64_t value;
};

/* Is the trace worth anything? */
struct trace_end {
	uint64_t stores;
	uint64_t checked; /* operands of non-temporal stores that were computed as those of write-backs are */
	uint64_t wrong;   /* of these, how many were not where the store then went */
	uint64_t unknown; /* write-backs of pages that nobody has stored to there; they are left out */
};

/* The guest's mark: nopl DISPLACEMENT(%rax,%rax), number in the displacement's low byte. */
#define TRACE_MARK_BYTES 8
#define TRACE_MARK_START "\x0f\x1f\x84\x00"
#define TRACE_MARK_END "STP"
