/* SPDX-License-Identifier: BSD-2-Clause */
/* start.c - from the entry point to main: check the startup block, set up TLS, files and mounts, run constructors. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <lintel/process.h>
#include <lintel/startup.h>

#include "core/process.h"
#include "core/startup_check.h"
#include "core/sys.h"
#include "posix/file.h"
#include "posix/mount.h"
#include "thread/thread.h"

#define STRINGS_KEPT 128    /* argv and environ up to this many pointers need no heap */
#define EXIT_BAD_STARTUP 125

int main(int argc, char **argv, char **envp);
extern void __libc_init_array(void);
NORETURN void start_program(struct startup_block *block);

/* Named here so that the linker takes our fflush and fclose (posix/streams.c) before it looks into picolibc. */
static int (*const stdio_flush)(FILE *) __attribute__((used)) = fflush;
extern const char lintel_symbols_start[], lintel_symbols_end[]; /* program.ld */

static char *kept_pointers[STRINGS_KEPT];

NORETURN static void start_fail(const char *text, size_t bytes)
{
	drop(lintel_debug_log(text, bytes));
	drop(lintel_process_exit(EXIT_BAD_STARTUP));
	__builtin_trap();
}

/* The kernel names functions in the backtrace of a fault with it. Empty if the program was linked in one pass. */
static void tell_symbols(void)
{
	size_t bytes = (size_t)(lintel_symbols_end - lintel_symbols_start);

	if (bytes != 0)
		drop(lintel_process_symbols(lintel_process(), (uint64_t)lintel_symbols_start, bytes));
}

static handle_t first_thread(const struct startup_block *block)
{
	const struct startup_handle *handles =
		(const struct startup_handle *)((const char *)block + block->handles_offset);

	for (uint32_t i = 0; i < block->handles; i++) {
		if (handles[i].kind == STARTUP_THREAD)
			return handles[i].handle;
	}
	return HANDLE_NONE;
}

static void start_files(const struct startup_block *block)
{
	const struct startup_handle *handles =
		(const struct startup_handle *)((const char *)block + block->handles_offset);

	for (uint32_t i = 0; i < block->handles; i++) {
		const struct startup_handle *each = &handles[i];
		if (each->kind == STARTUP_MOUNT)
			drop(lintel_mount_add(startup_string(block, block->names_offset, each->argument), each->handle));
	}
	for (uint32_t i = 0; i < block->handles; i++) {
		if (handles[i].kind == STARTUP_FD)
			fd_inherit(&handles[i]);
	}
	cwd_init((const char *)block + block->cwd_offset);
}

static void copy_strings(const struct startup_block *block, uint32_t table, uint32_t count, char **out)
{
	for (uint32_t i = 0; i < count; i++)
		out[i] = startup_string(block, table, i);
	out[count] = NULL;
}

void start_program(struct startup_block *block)
{
	static const char bad[] = "libc: the startup block is missing or malformed";
	static const char memory[] = "libc: no memory for the arguments";

	if (block == NULL || startup_check(block, STARTUP_BYTES_MAX) != OK)
		start_fail(bad, sizeof(bad) - 1);
	process_init(block);
	tell_symbols();
	thread_first_init(first_thread(block));

	char **pointers = kept_pointers;
	size_t count = (size_t)block->argc + block->envc + 2;
	if (count > STRINGS_KEPT) {
		pointers = malloc(count * sizeof(char *));
		if (pointers == NULL)
			start_fail(memory, sizeof(memory) - 1);
	}
	copy_strings(block, block->argv_offset, block->argc, pointers);
	environ = pointers + block->argc + 1;
	copy_strings(block, block->env_offset, block->envc, environ);

	start_files(block);
	__libc_init_array();
	exit(main((int)block->argc, pointers, environ));
}
