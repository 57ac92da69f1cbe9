/* SPDX-License-Identifier: GPL-2.0-only */
/* backtrace.c - see backtrace.h. The table in .ksyms (tools/symbols.py), 32-bit numbers:
 *   count | count offsets of functions from kernel_start, ascending | count offsets of names in what follows | names
 * It is empty in the first link pass, and then frames have numbers only. */
#include "kernel/backtrace.h"

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/user_symbols.h"

#define FRAMES_MAX 32
#define PUSH_RBP_BYTES 1u /* the first instruction of a function that keeps a frame pointer */
#define FRAME_STEP_MAX (64u << 10) /* further apart, and the chain is broken or has left the stack */

extern const uint32_t ksyms_start[], ksyms_end[];
extern const char kernel_start[], text_start[], text_end[];
bool probe_load64(const uint64_t *kernel_address, uint64_t *out); /* arch: false if it cannot be read */

const char *symbol_find(uint64_t address, uint64_t *offset)
{
	uint32_t wanted = (uint32_t)(address - (uint64_t)kernel_start);
	const uint32_t *functions = ksyms_start + 1;
	uint32_t count = &ksyms_end[0] > &ksyms_start[0] ? ksyms_start[0] : 0;
	uint32_t low = 0, high = count;

	if (address < (uint64_t)text_start || address >= (uint64_t)text_end || count == 0 || functions[0] > wanted)
		return NULL;
	while (high - low > 1) { /* functions[low] <= wanted < functions[high] */
		uint32_t middle = low + (high - low) / 2;

		if (functions[middle] <= wanted)
			low = middle;
		else
			high = middle;
	}
	*offset = wanted - functions[low];
	return (const char *)(functions + 2 * count) + functions[count + low];
}

/* A return address may lie behind the function's last byte, if the call was to one that never returns. */
static void frame_print(uint64_t rip, bool returns, void (*print)(const char *format, ...) PRINTF(1, 2))
{
	uint64_t offset;
	const char *name = symbol_find(rip - (returns ? 1 : 0), &offset);

	if (name != NULL)
		print("  %016lx %s+0x%lx", rip, name, offset + (returns ? 1 : 0));
	else
		print("  %016lx", rip);
}

void backtrace_print(uint64_t rip, uint64_t rbp, void (*print)(const char *format, ...) PRINTF(1, 2))
{
	uint64_t next, from;

	for (uint32_t i = 0; i < FRAMES_MAX; i++) {
		frame_print(rip, i > 0, print);
		if ((rbp & 7) != 0 || rbp < USER_END || !probe_load64((const uint64_t *)rbp, &next) ||
		    !probe_load64((const uint64_t *)rbp + 1, &from) || from < (uint64_t)text_start)
			return;
		rip = from;
		if (next <= rbp || next - rbp > FRAME_STEP_MAX) {
			frame_print(rip, true, print);
			return;
		}
		rbp = next;
	}
}

/* True, with the offset in it, if the function's name is known. */
static bool frame_log_user(uint64_t rip, bool returns, uint64_t *offset)
{
	char name[USER_SYMBOL_BYTES];

	if (!user_symbol_find(rip - (returns ? 1 : 0), name, offset)) {
		log_line("  %016lx", rip);
		return false;
	}
	log_line("  %016lx %s+0x%lx", rip, name, *offset + (returns ? 1 : 0));
	return true;
}

/* User code has frame pointers too, if it was built so. A function that has only just been called has no frame yet:
 * where its name is known, so is that, and the caller's address is on top of the stack, or next to the pushed rbp. */
void backtrace_user(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
	uint64_t frame[2], offset, caller;

	if (frame_log_user(rip, false, &offset) && offset <= PUSH_RBP_BYTES &&
	    user_peek(&caller, rsp + offset * sizeof(caller), sizeof(caller)))
		frame_log_user(caller, true, &offset);
	for (uint32_t i = 0; i < FRAMES_MAX; i++) {
		if ((rbp & 7) != 0 || !user_peek(frame, rbp, sizeof(frame)) || frame[1] == 0)
			return;
		frame_log_user(frame[1], true, &offset);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}
