/* SPDX-License-Identifier: BSD-2-Clause */
/* raw_call.h - for tests: system calls by number, and processes that are no more than a page of machine code. */
#pragma once

#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>

struct raw_result {
	err_t err;
	uint64_t value; /* rdx */
};

__attribute__((unused)) static struct raw_result raw_call(uint64_t number, const uint64_t argument[6])
{
	register uint64_t rdi __asm__("rdi") = argument[0];
	register uint64_t rsi __asm__("rsi") = argument[1];
	register uint64_t rdx __asm__("rdx") = argument[2];
	register uint64_t r10 __asm__("r10") = argument[3];
	register uint64_t r8 __asm__("r8") = argument[4];
	register uint64_t r9 __asm__("r9") = argument[5];
	uint64_t rax = number;

	__asm__ volatile("syscall" : "+a"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
			 : : "rcx", "r11", "memory");
	return (struct raw_result){ (err_t)rax, rdx };
}

#define USER_LIMIT 0x7ffffffff000ull /* the first address that is not user memory */
#define BARE_CODE 0x400000ull
/* Machine code; NUMBER is a system call's number below 256. */
#define BARE_LOOP { 0xeb, 0xfe }
#define BARE_FAULT { 0x31, 0xc0, 0x8b, 0x00 }                  /* xor eax, eax; mov eax, [rax] */
#define BARE_INVALID { 0x0f, 0x0b }                            /* ud2 */
/* again: mov rdi, RDI; mov eax, NUMBER; syscall; jmp again */
#define BARE_CALL(NUMBER, RDI)                                                                    \
	{ 0x48, 0xc7, 0xc7, (RDI) & 0xff, (RDI) >> 8 & 0xff, (RDI) >> 16 & 0xff, (RDI) >> 24 & 0xff, \
	  0xb8, (NUMBER), 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf0 }

/* A process with that code at BARE_CODE and one thread that has not started; both handles are the caller's. */
__attribute__((unused)) static err_t bare_create(const void *code, size_t bytes, handle_t *process, handle_t *thread)
{
	handle_t vmo;
	uint64_t at;
	err_t err = lintel_process_create(lintel_process(), "bare", 4, 256, process);

	if (err != OK)
		return err;
	err = lintel_vmo_create(PAGE_SIZE, 0, &vmo);
	if (err != OK)
		goto close_process;
	err = lintel_vmo_write(vmo, 0, code, bytes);
	if (err == OK)
		err = lintel_space_map(*process, vmo, 0, PAGE_SIZE, BARE_CODE, SPACE_READ | SPACE_EXECUTE | SPACE_FIXED, &at);
	(void)!lintel_handle_close(vmo);
	if (err == OK)
		err = lintel_thread_create(*process, "bare", 4, thread);
	if (err == OK)
		return OK;
close_process:
	(void)!lintel_handle_close(*process);
	return err;
}

/* The same, started. */
__attribute__((unused)) static err_t bare_start(const void *code, size_t bytes, handle_t *process)
{
	handle_t thread;
	err_t err = bare_create(code, bytes, process, &thread);

	if (err != OK)
		return err;
	err = lintel_process_start(*process, thread, BARE_CODE, BARE_CODE, 0);
	(void)!lintel_handle_close(thread);
	if (err != OK)
		(void)!lintel_handle_close(*process);
	return err;
}

static inline uint64_t now_ns(void)
{
	uint64_t now;

	return lintel_clock_get(&now) == OK ? now : 0;
}
#define MILLISECONDS(n) ((n) * 1000000ull)
#define IN_10_S (now_ns() + MILLISECONDS(10000))
