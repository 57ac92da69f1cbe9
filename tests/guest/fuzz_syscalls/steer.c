/* SPDX-License-Identifier: BSD-2-Clause */
/* steer.c - arguments with which a call goes far. */
#include "fuzz.h"

#include <kit/kit.h>
#include <lintel/door.h>
#include <lintel/syscalls.h>
#include <lintel/trace.h>
#include <string.h>

#define ACTIVATIONS 6u /* on each CPU */

static uint8_t server_stack[16384] __attribute__((aligned(4096)));

/* The code needs no stack. */
err_t fuzz_door(const char *name, handle_t *out)
{
	static uint64_t nothing[16];
	uint32_t cpus = kit_cpu_count();
	err_t err = lintel_door_create((uintptr_t)fuzz_server, name, strlen(name), out);

	for (uint32_t i = 0; err == OK && i < ACTIVATIONS * cpus; i++)
		err = lintel_door_donate(*out, i % cpus, ((uintptr_t)nothing + 64) & ~15ull, (uintptr_t)nothing);
	return err;
}

static uint64_t a_window(struct worker *worker, uint64_t *address)
{
	if (below(worker, 3) == 0)
		return 0;
	*address = below(worker, 4) ? (uint64_t)arena + below(worker, ARENA_BYTES)
				    : 0x20000000 + below(worker, 64) * PAGE_SIZE + below(worker, PAGE_SIZE);
	return (below(worker, 4) ? 1 + below(worker, 5000) : below(worker, 40) * PAGE_SIZE) |
	       (below(worker, 2) ? WINDOW_WRITE : 0);
}

static uint64_t a_handle_to_give(struct worker *worker)
{
	return below(worker, 2) ? HANDLE_NONE : pool[MAINSTAY + below(worker, POOL - MAINSTAY)];
}

/* A call to the parent, or to ourselves, that comes to something: mostly by the short way. */
static void steer_door_call(struct worker *worker, struct registers *call)
{
	call->rdi = pool[below(worker, 4) ? OTHER_DOOR : OWN_DOOR];
	if (below(worker, 8) == 0)
		call->rdi |= (1 + below(worker, 500)) << 32;
	call->rbp = a_window(worker, &call->rbx);
	call->r15 = a_window(worker, &call->r14);
	call->r13 = below(worker, 3) ? 0 : a_handle_to_give(worker) | a_handle_to_give(worker) << 32;
}

/* What the SYSTEM resource is for. */
static void steer_system(struct worker *worker, struct registers *call)
{
	call->rdi = pool[OWN_SYSTEM];
	switch (call->rax) {
	case SYSCALL_system_info:
		call->rsi = below(worker, 8);
		break;
	case SYSCALL_trace_control:
		call->rsi = below(worker, 8) == 0;
		break;
	case SYSCALL_trace_read:
		call->rsi = below(worker, 5);
		call->r8 = below(worker, TRACE_READ_MAX + 2) * sizeof(struct trace_record);
		break;
	default:
		break;
	}
}

/* Into the ranges of the child's resources. */
static void steer_device(struct worker *worker, struct registers *call)
{
	bool second = below(worker, 2);

	switch (call->rax) {
	case SYSCALL_port_read:
	case SYSCALL_port_write:
	case SYSCALL_port_write_bytes:
		call->rdi = pool[second ? OWN_PORT_2 : OWN_PORT];
		call->rsi = second ? 0xed : 0x80;
		break;
	case SYSCALL_interrupt_create:
		call->rdi = pool[OWN_IRQ];
		call->rsi = 7;
		call->rdx &= 7;
		break;
	case SYSCALL_vmo_create_physical:
		call->rdi = pool[OWN_MMIO];
		call->rsi = 0xfed40000 + below(worker, 6) * PAGE_SIZE;
		call->rdx = below(worker, 6) * PAGE_SIZE;
		call->r10 &= VMO_FLAGS_ALL;
		break;
	case SYSCALL_resource_create:
		call->rdi = pool[OWN_PORT + below(worker, 4)];
		break;
	default:
		break;
	}
}

/* Plausible starts of code and stacks, so that started threads and entered doors do something, and seldom end the
 * child. */
void steer(struct worker *worker, struct registers *call)
{
	if (below(worker, call->rax == SYSCALL_door_create || call->rax == SYSCALL_door_donate ||
				  call->rax == SYSCALL_thread_start ? 2000 : 4) == 0)
		return;
	switch (call->rax) {
	case SYSCALL_door_call:
		steer_door_call(worker, call);
		break;
	case SYSCALL_process_symbols:
		call->rdi = pool[OWN_PROCESS];
		break;
	case SYSCALL_log_read:
	case SYSCALL_trace_control:
	case SYSCALL_trace_read:
	case SYSCALL_system_info:
		steer_system(worker, call);
		break;
	case SYSCALL_door_create:
		call->rdi = (uint64_t)fuzz_server;
		break;
	case SYSCALL_door_donate:
		call->rsi = below(worker, 2);
		call->rdx = (uint64_t)server_stack + sizeof(server_stack);
		call->r10 = (uint64_t)arena;
		break;
	case SYSCALL_thread_start:
		call->rsi = (uint64_t)fuzz_thread;
		call->r8 = SYSCALL_thread_exit;
		break;
	case SYSCALL_space_map:
		call->rdi = pool[OWN_PROCESS];
		call->rsi = pool[OWN_VMO];
		call->r8 = below(worker, 2) ? 0 : 0x20000000 + below(worker, 64) * PAGE_SIZE;
		call->r9 &= SPACE_FLAGS_ALL;
		break;
	case SYSCALL_space_unmap:
	case SYSCALL_space_protect:
		call->rdi = pool[OWN_PROCESS];
		call->rsi = 0x20000000 + below(worker, 64) * PAGE_SIZE;
		break;
	case SYSCALL_vmo_create:
	case SYSCALL_vmo_resize:
		call->rdi = call->rax == SYSCALL_vmo_create ? below(worker, 64) * 1000 : call->rdi;
		call->rsi = call->rax == SYSCALL_vmo_create ? below(worker, 16) : below(worker, 64) * 1000;
		break;
	default:
		steer_device(worker, call);
	}
}
