/* SPDX-License-Identifier: BSD-2-Clause */
/* faults.c - a fault ends its process alone, and its backtrace has names: of this program's functions, or none where
 * the table that the program gave the kernel is wrong. The children are this program again; what the kernel printed is
 * read by tests/system/test_faults.py. */
#include "check.h"

#include <lintel/process.h>
#include <lintel/symbols.h>
#include <lintel/syscalls.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PROGRAM "/boot/bin/faults"
#define NOT_INLINED __attribute__((noipa))
#define PAGE_FAULT 14

void fault_level_1(volatile int *address);
void fault_level_2(volatile int *address);
void fault_level_3(volatile int *address);

static volatile int after;

NOT_INLINED void fault_level_3(volatile int *address)
{
	*address = 1;
	after++;
}

NOT_INLINED void fault_level_2(volatile int *address)
{
	fault_level_3(address);
	after++;
}

NOT_INLINED void fault_level_1(volatile int *address)
{
	fault_level_2(address);
	after++;
}

/* ---- Tables that are wrong, each in its own way ---- */

static struct {
	struct symbol_table header;
	uint32_t rows[4]; /* two functions, two names */
	char names[8];
} wrong = { { SYMBOL_TABLE_MAGIC, 2, 0x400000 }, { 0, 0x1000, 0, 3 }, "aa\0bb" };

enum wrong_table {
	NO_MAGIC, MANY, NO_COUNT, NAMES_FAR, FUNCTIONS_LATE, CONTROL_CHARACTERS, NO_END, BASE_HIGH, CUT, UNMAPPED,
	AT_THE_TOP, WRONG_TABLES
};

static int give_wrong_table(int kind)
{
	uint64_t address = (uint64_t)&wrong, bytes = sizeof(wrong);

	switch (kind) {
	case NO_MAGIC: wrong.header.magic ^= 1; break;
	case MANY: wrong.header.count = UINT32_MAX; break;
	case NO_COUNT: wrong.header.count = 0; break;
	case NAMES_FAR: wrong.rows[2] = wrong.rows[3] = UINT32_MAX - 3; break;
	case FUNCTIONS_LATE: wrong.rows[0] = wrong.rows[1] = UINT32_MAX; break;
	case CONTROL_CHARACTERS: memset(wrong.names, 27, sizeof(wrong.names)); break;
	case NO_END: memset(wrong.names, 'x', sizeof(wrong.names)); break;
	case BASE_HIGH: wrong.header.base = UINT64_MAX - 5; break;
	case CUT: bytes = sizeof(wrong.header) + 3; break;
	case UNMAPPED: address = 0x1000; break;
	case AT_THE_TOP: address = 0x7fffffffe000; bytes = 0x1000; break;
	}
	return lintel_process_symbols(lintel_process(), address, bytes) == OK ? 0 : -1;
}

__attribute__((noinline)) static int be_child(const char *role, const char *kind)
{
	if (strcmp(role, "wrong") == 0 && give_wrong_table(atoi(kind)) != 0)
		return 90;
	if (strcmp(role, "divide") == 0)
		__asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" : : : "eax", "ecx", "edx");
	fault_level_1((volatile int *)0x10);
	return 91;
}

/* ---- The tests ---- */

static err_t run_child(char *role, char *kind, int32_t *status)
{
	char program[] = PROGRAM;
	char *argv[] = { program, role, kind, NULL };
	struct spawn_request request = { .path = program, .argv = argv };
	handle_t process;
	err_t err = lintel_spawn(&request, &process);

	if (err != OK)
		return err;
	err = lintel_wait(process, DEADLINE_NEVER, status);
	lintel_handle_close(process);
	return err;
}

static void a_fault_ends_its_process(void)
{
	char role[] = "frames";
	int32_t status;

	CHECK_EQUAL(run_child(role, NULL, &status), OK);
	CHECK_EQUAL(status, EXIT_STATUS_FAULT - PAGE_FAULT);
}

static void a_wrong_table_changes_nothing(void)
{
	for (int i = 0; i < WRONG_TABLES; i++) {
		char role[] = "wrong", kind[12];
		int32_t status;

		snprintf(kind, sizeof(kind), "%d", i);
		CHECK_EQUAL(run_child(role, kind, &status), OK);
		CHECK_EQUAL(status, EXIT_STATUS_FAULT - PAGE_FAULT);
	}
}

static void a_table_outside_user_memory_is_refused(void)
{
	CHECK_EQUAL(lintel_process_symbols(lintel_process(), 0xffffffff80000000, 64), ERR_ARGS);
	CHECK_EQUAL(lintel_process_symbols(lintel_process(), 0x7fffffffe000, 0x2000), ERR_ARGS);
	CHECK_EQUAL(lintel_process_symbols(lintel_process(), 0x1000, UINT64_MAX), ERR_ARGS);
	CHECK_EQUAL(lintel_process_symbols(HANDLE_NONE, 0, 0), ERR_BAD_HANDLE);
}

extern const char fix_code[], fix_code_end[], fix_landing[];

/* A division. 0: it came back at the landing with the instruction's address and its
 * other registers; 1: there was nothing wrong with it. */
__asm__(".text\n"
	"fix_code: movl %edi, %ecx\n movl $7, %r8d\n"
	"fix_divide: divl %ecx\n"
	"fix_code_end: movl $1, %eax\n ret\n"
	"fix_landing: leaq fix_divide(%rip), %rcx\n subq %rcx, %rax\n xorl $7, %r8d\n orl %r8d, %eax\n ret\n");
extern int fix_code_function(int divisor) __asm__("fix_code");

static void a_fault_can_have_a_landing(void)
{
	const uint64_t bytes = (uint64_t)(fix_code_end - fix_code);
	char role[] = "divide";
	int32_t status;

	CHECK_EQUAL(lintel_process_fixup(lintel_process(), (uint64_t)fix_code, bytes, (uint64_t)fix_landing), OK);
	CHECK_EQUAL(fix_code_function(0), 0);
	CHECK_EQUAL(fix_code_function(3), 1);
	CHECK_EQUAL(lintel_process_fixup(lintel_process(), 0xffffffff80000000, 64, (uint64_t)fix_landing), ERR_ARGS);
	CHECK_EQUAL(lintel_process_fixup(lintel_process(), 0x1000, UINT64_MAX, (uint64_t)fix_landing), ERR_ARGS);
	CHECK_EQUAL(lintel_process_fixup(lintel_process(), (uint64_t)fix_code, bytes, 0xffffffff80000000), ERR_ARGS);
	CHECK_EQUAL(lintel_process_fixup(HANDLE_NONE, 0, 0, (uint64_t)fix_landing), ERR_BAD_HANDLE);
	CHECK_EQUAL(run_child(role, NULL, &status), OK); /* children do not inherit it */
	CHECK_EQUAL(status, EXIT_STATUS_FAULT);
	CHECK_EQUAL(lintel_process_fixup(lintel_process(), 0, 0, (uint64_t)fix_landing), OK);
}

static void waitpid_tells_it_as_a_signal(void)
{
	char program[] = PROGRAM, frames[] = "frames", divide[] = "divide";
	char *first[] = { program, frames, NULL }, *second[] = { program, divide, NULL };
	pid_t pid;
	int status;

	CHECK_EQUAL(posix_spawn(&pid, program, NULL, NULL, first, NULL), 0);
	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
	CHECK_EQUAL(posix_spawn(&pid, program, NULL, NULL, second, NULL), 0);
	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGFPE);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return be_child(argv[1], argc > 2 ? argv[2] : "0");
	CHECK_RUN(a_fault_ends_its_process);
	CHECK_RUN(a_wrong_table_changes_nothing);
	CHECK_RUN(a_fault_can_have_a_landing);
	CHECK_RUN(a_table_outside_user_memory_is_refused);
	CHECK_RUN(waitpid_tells_it_as_a_signal);
	return check.failed;
}
