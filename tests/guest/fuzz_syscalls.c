/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_syscalls.c - random system calls with random arguments, from processes that die of it and are made anew.
 *
 *   fuzz_syscalls [SEED [CALLS [WORKERS]]]     default: a seed from the clock, 200,000 calls, 3 workers
 *
 * The parent prints the seed and keeps WORKERS children of this program running, each with two threads, until CALLS are
 * made. Child number N of a run draws from SEED and N alone, so a run with the same three numbers makes the same calls,
 * up to how threads and processes interleave. `fuzz_syscalls child SEED CALLS` runs one child by hand.
 * Every second child gets the resources that the parent has (`run -r` lends it the shell's): ports, a line and a range
 * at which nothing answers. */
#include "check.h"
#include "raw_call.h"

#include <lintel/call_shapes.h>
#include <lintel/door.h>
#include <pthread.h>
#include <stdlib.h>

#define CALLS_PER_CHILD 20000u
#define WORKERS_MAX 8
#define STALL_NS MILLISECONDS(3000) /* no progress for so long: asleep for ever, by its own will */
#define POOL 48
/* The first places of the pool are the child's mainstay: they stay as they are. */
enum { OWN_PROCESS, OWN_EVENT, OWN_VMO, OWN_DOOR, OWN_PORT, OWN_PORT_2, OWN_IRQ, OWN_MMIO, MAINSTAY };
static const uint32_t resource_kinds[MAINSTAY] = { [OWN_PORT] = RESOURCE_PORT, [OWN_PORT_2] = RESOURCE_PORT,
						   [OWN_IRQ] = RESOURCE_IRQ, [OWN_MMIO] = RESOURCE_MMIO };

/* ---- one call with every register given ---- */

struct registers {
	uint64_t rax, rdi, rsi, rdx, r10, r8, r9, r12, r13, r14, r15, rbx, rbp;
};
void fuzz_call(struct registers *registers);
void fuzz_server(void);
void fuzz_thread(void);
__asm__(".text\n"
	"fuzz_call:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
	"	mov %rdi, %r11\n"
	"	mov 0(%r11), %rax; mov 16(%r11), %rsi; mov 24(%r11), %rdx; mov 32(%r11), %r10\n"
	"	mov 40(%r11), %r8; mov 48(%r11), %r9; mov 56(%r11), %r12; mov 64(%r11), %r13\n"
	"	mov 72(%r11), %r14; mov 80(%r11), %r15; mov 88(%r11), %rbx; mov 96(%r11), %rbp; mov 8(%r11), %rdi\n"
	"	syscall\n"
	"	pop %r11\n"
	"	mov %rax, 0(%r11); mov %rdx, 24(%r11)\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	"fuzz_server:\n" /* answers OK with the words that it got */
	"	mov $2, %eax\n"
	"	xor %edi, %edi\n"
	"	syscall\n"
	"	ud2\n"
	"fuzz_thread:\n" /* ends */
	"	mov %rdi, %rax\n"
	"	xor %edi, %edi\n"
	"	syscall\n"
	"	ud2\n");
_Static_assert(SYSCALL_door_return == 2, "fuzz_server knows it");

/* ---- random choices ---- */

struct worker {
	uint64_t state;
	uint64_t calls;
	uint64_t *progress; /* shared with the parent, [0] calls made */
};

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t below(struct worker *worker, uint64_t limit)
{
	return next_random(&worker->state) % limit;
}

static uint8_t arena[64 * 1024] __attribute__((aligned(4096))); /* what calls may read and write */
static uint8_t server_stack[16384] __attribute__((aligned(4096)));
static handle_t pool[POOL]; /* handles to draw from; both threads use it, races and all */

static uint64_t any_handle(struct worker *worker)
{
	switch (below(worker, 16)) {
	case 0:
		return next_random(&worker->state);
	case 1:
		return below(worker, 70) | below(worker, 3) << HANDLE_INDEX_BITS;
	case 2:
		return pool[below(worker, POOL)] ^ 1u << below(worker, 32);
	default:
		return pool[below(worker, POOL)];
	}
}

static uint64_t any_number(struct worker *worker)
{
	static const uint64_t edges[] = { 0, 1, 2, 3, 4, 7, 8, 31, 32, 63, 64, 65, 255, 256, 4095, 4096, 4097, 65535, 65536,
		0x1fffff, 0x200000, INT32_MAX, 0x80000000, UINT32_MAX, 1ull << 32, 1ull << 40, 1ull << 46, 1ull << 47,
		INT64_MAX, 1ull << 63, UINT64_MAX - 4095, UINT64_MAX - 1, UINT64_MAX };

	switch (below(worker, 4)) {
	case 0:
		return edges[below(worker, ARRAY_LEN(edges))];
	case 1:
		return 1ull << below(worker, 64);
	case 2:
		return below(worker, 16) * PAGE_SIZE;
	default:
		return below(worker, 200);
	}
}

static uint64_t any_address(struct worker *worker)
{
	static const uint64_t edges[] = { 0, 1, 0xfff, 0x1000, USER_LIMIT - 4096, USER_LIMIT - 8, USER_LIMIT, 1ull << 47,
		0xffff800000000000, 0xffffffff80000000, 0xffffc00000000000, UINT64_MAX - 7, UINT64_MAX, 0x7f0000000000,
		0x7effffffffff, 0x7f8000000000, 0x20000000, 0x20200000, 0x30000000 };

	switch (below(worker, 8)) {
	case 0:
		return edges[below(worker, ARRAY_LEN(edges))];
	case 1:
		return next_random(&worker->state);
	case 2:
		return 0x20000000 + below(worker, 64) * PAGE_SIZE + (below(worker, 4) ? 0 : below(worker, 4096));
	case 3:
		return (uint64_t)arena + sizeof(arena) - below(worker, 32);
	default:
		return (uint64_t)arena + below(worker, sizeof(arena) / 8) * 8;
	}
}

static uint64_t any_deadline(struct worker *worker)
{
	if (below(worker, 20000) == 0)
		return DEADLINE_NEVER; /* the parent will have to kill us */
	return below(worker, 8) ? 0 : now_ns() + below(worker, 200000);
}

static uint64_t any_argument(struct worker *worker, uint8_t kind)
{
	switch (kind) {
	case SHAPE_HANDLE:
		return any_handle(worker);
	case SHAPE_TIME:
		return any_deadline(worker);
	case SHAPE_ADDRESS:
	case SHAPE_POINTER:
		return any_address(worker);
	default:
		return below(worker, 64) == 0 ? next_random(&worker->state) : any_number(worker);
	}
}

/* Calls that end the child, flood the log, or use up time are made, but seldom. */
static bool is_rare(uint64_t number)
{
	return number == SYSCALL_process_exit || number == SYSCALL_thread_exit || number == SYSCALL_debug_log ||
	       number == SYSCALL_process_kill || number == SYSCALL_thread_set_tls || number == SYSCALL_system_power;
}

/* ---- the child ---- */

static void keep(struct worker *worker, uint64_t value)
{
	uint32_t slot = MAINSTAY + (uint32_t)below(worker, POOL - MAINSTAY);

	if (pool[slot] != HANDLE_NONE)
		(void)!lintel_handle_close(pool[slot]);
	pool[slot] = (handle_t)value;
}

static bool gives_a_handle(uint64_t number)
{
	switch (number) {
	case SYSCALL_handle_duplicate: case SYSCALL_process_create: case SYSCALL_process_open:
	case SYSCALL_thread_create: case SYSCALL_event_create: case SYSCALL_vmo_create: case SYSCALL_vmo_create_pager:
	case SYSCALL_vmo_create_physical: case SYSCALL_vmo_slice: case SYSCALL_vmo_copy: case SYSCALL_door_create:
	case SYSCALL_door_mint: case SYSCALL_interrupt_create: case SYSCALL_resource_create: case SYSCALL_zone_open:
		return true;
	default:
		return false;
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
static void steer(struct worker *worker, struct registers *call)
{
	if (below(worker, call->rax == SYSCALL_door_create || call->rax == SYSCALL_door_donate ||
				  call->rax == SYSCALL_thread_start ? 2000 : 4) == 0)
		return;
	switch (call->rax) {
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

/* With the process's own handle, a random range hits the code that makes the calls: only now and then. */
static bool is_suicide(struct worker *worker, const struct registers *call)
{
	if (call->rax != SYSCALL_space_unmap && call->rax != SYSCALL_space_protect && call->rax != SYSCALL_process_kill)
		return false;
	if (call->rax != SYSCALL_process_kill && call->rsi >= 0x20000000 && call->rsi < 0x30000000 &&
	    call->rdx < 0x10000000)
		return false;
	return (handle_t)call->rdi == pool[OWN_PROCESS] && below(worker, 500) != 0;
}

static void one_call(struct worker *worker)
{
	uint64_t number = below(worker, SYSCALL_COUNT + 1);
	const struct call_shape *shape;
	struct registers call;
	uint64_t *argument[6] = { &call.rdi, &call.rsi, &call.rdx, &call.r10, &call.r8, &call.r9 };

	if (is_rare(number) && below(worker, 300) != 0)
		return;
	shape = &call_shapes[number < SYSCALL_COUNT ? number : 0];
	for (size_t i = 0; i < sizeof(call) / 8; i++)
		((uint64_t *)&call)[i] = any_address(worker);
	for (int i = 0; i < 6; i++)
		if (shape->argument[i].kind != SHAPE_NONE)
			*argument[i] = any_argument(worker, shape->argument[i].kind);
	call.rax = number;
	if (number == SYSCALL_door_call) {
		call.rdi = any_handle(worker) & UINT32_MAX;
		call.rdi |= below(worker, 2) ? 0 : (1 + below(worker, 500)) << 32;
		call.r13 = below(worker, 4) ? 0 : any_handle(worker) | any_handle(worker) << 32;
		call.rbp = below(worker, 2) ? 0 : any_number(worker) | (below(worker, 2) ? WINDOW_WRITE : 0);
		call.r15 = below(worker, 2) ? 0 : any_number(worker) | (below(worker, 2) ? WINDOW_WRITE : 0);
	}
	if (number == SYSCALL_door_return)
		call.r13 = 0;
	if (number == SYSCALL_process_kill && (handle_t)call.rdi == pool[OWN_PROCESS])
		return;
	steer(worker, &call);
	if (is_suicide(worker, &call))
		return;
	fuzz_call(&call);
	worker->calls++;
	if ((err_t)call.rax == OK && gives_a_handle(number))
		keep(worker, call.rdx);
	if (worker->calls % 64 == 0)
		__atomic_add_fetch(worker->progress, 64, __ATOMIC_RELAXED);
}

static uint64_t child_calls;

static void *child_thread(void *argument)
{
	struct worker *worker = argument;

	while (worker->calls < child_calls / 2)
		one_call(worker);
	return NULL;
}

static int run_child(uint64_t seed, uint64_t calls)
{
	static uint64_t nowhere;
	static struct worker workers[2];
	uint64_t *progress = &nowhere;
	handle_t vmo = lintel_startup_named(STARTUP_SERVICE, "progress");
	pthread_t thread;
	uint64_t at;

	if (vmo != HANDLE_NONE &&
	    lintel_space_map(lintel_process(), vmo, 0, PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &at) == OK)
		progress = (uint64_t *)at;
	child_calls = calls;
	pool[OWN_PROCESS] = lintel_process();
	if (lintel_event_create(&pool[OWN_EVENT]) != OK || lintel_vmo_create(16 * PAGE_SIZE, 0, &pool[OWN_VMO]) != OK ||
	    lintel_door_create((uint64_t)fuzz_server, "fuzz", 4, &pool[OWN_DOOR]) != OK)
		return 1;
	for (int i = OWN_PORT; i < MAINSTAY; i++)
		pool[i] = lintel_startup_handle(STARTUP_RESOURCE, resource_kinds[i], i == OWN_PORT_2);
	for (int i = 0; i < 2; i++)
		workers[i] = (struct worker){ .state = seed * 2 + (uint64_t)i, .progress = progress };
	if (pthread_create(&thread, NULL, child_thread, &workers[1]) != 0)
		return 1;
	child_thread(&workers[0]);
	pthread_join(thread, NULL);
	_Exit(0);
}

/* ---- the parent ---- */

struct child {
	handle_t process;
	uint64_t *progress;
	handle_t vmo;
	uint64_t seen, seen_ns;
};

static const char *program = "/boot/bin/fuzz_syscalls";
static uint64_t made, children, died, stalled;

/* What the child gets: the page on which it counts, and, every second one, our own resources. */
static uint32_t grants_collect(const struct child *child, struct spawn_handle grants[1 + MAINSTAY])
{
	uint32_t count = 0;

	grants[count++] = (struct spawn_handle){ STARTUP_SERVICE, 0, "progress", child->vmo,
						 RIGHT_READ | RIGHT_WRITE | RIGHT_TRANSFER };
	for (int i = OWN_PORT; children % 2 == 1 && i < MAINSTAY; i++) {
		handle_t resource = lintel_startup_handle(STARTUP_RESOURCE, resource_kinds[i], i == OWN_PORT_2);

		if (resource != HANDLE_NONE)
			grants[count++] = (struct spawn_handle){ STARTUP_RESOURCE, resource_kinds[i], NULL, resource,
								 RIGHTS_SAME };
	}
	return count;
}

static err_t child_begin(struct child *child, uint64_t seed)
{
	char number[24], calls[24];
	char *argv[] = { (char *)"fuzz_syscalls", (char *)"child", number, calls, NULL };
	struct spawn_handle grants[1 + MAINSTAY];
	const struct spawn_request request = { .path = program, .argv = argv, .handles = grants,
					       .handle_count = grants_collect(child, grants), .memory_limit_pages = 4096 };

	snprintf(number, sizeof(number), "%llu", (unsigned long long)(seed + children++));
	snprintf(calls, sizeof(calls), "%u", CALLS_PER_CHILD);
	*child->progress = child->seen = 0;
	child->seen_ns = now_ns();
	return lintel_spawn(&request, &child->process);
}

/* Look after one child. True while it lives. */
static bool child_lives(struct child *child)
{
	uint64_t progress = __atomic_load_n(child->progress, __ATOMIC_RELAXED);
	uint32_t signals;
	int32_t status;

	if (progress > CALLS_PER_CHILD) /* it may scribble there */
		progress = CALLS_PER_CHILD;
	if (progress != child->seen) {
		child->seen = progress;
		child->seen_ns = now_ns();
	} else if (now_ns() - child->seen_ns > STALL_NS) {
		stalled++;
		(void)!lintel_process_kill(child->process, -1);
	}
	if (lintel_object_wait(child->process, SIGNAL_TERMINATED, now_ns() + MILLISECONDS(10), &signals) != OK)
		return true;
	if (lintel_wait(child->process, 0, &status) != OK || status != 0)
		died++;
	made += progress;
	(void)!lintel_handle_close(child->process);
	child->process = HANDLE_NONE;
	return false;
}

static err_t progress_page(struct child *child)
{
	uint64_t at = 0;
	err_t err = lintel_vmo_create(PAGE_SIZE, 0, &child->vmo);

	if (err == OK)
		err = lintel_space_map(lintel_process(), child->vmo, 0, PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &at);
	child->progress = (uint64_t *)at;
	return err;
}

static err_t run_parent(uint64_t seed, uint64_t calls, uint32_t count)
{
	static struct child child[WORKERS_MAX];
	uint32_t living = 0;
	uint64_t said = 0;

	for (uint32_t i = 0; i < count; i++) {
		err_t err = progress_page(&child[i]);

		if (err == OK)
			err = child_begin(&child[i], seed);
		if (err != OK)
			return err;
		living++;
	}
	while (living > 0) {
		for (uint32_t i = 0; i < count; i++) {
			if (child[i].process == HANDLE_NONE || child_lives(&child[i]))
				continue;
			living--;
			if (made < calls && child_begin(&child[i], seed) == OK)
				living++;
		}
		if (made - said >= 1000000) {
			said = made;
			printf("%llu calls, %llu children, %llu died, %llu stalled\n", (unsigned long long)made,
			       (unsigned long long)children, (unsigned long long)died, (unsigned long long)stalled);
		}
	}
	return made >= calls ? OK : ERR_INTERNAL;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : now_ns();
	uint64_t calls = argc > 2 ? strtoull(argv[2], NULL, 0) : 200000;
	uint32_t workers = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 3;
	err_t err;

	if (argc > 3 && strcmp(argv[1], "child") == 0)
		return run_child(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	if (workers == 0 || workers > WORKERS_MAX)
		workers = 3;
	printf("fuzz_syscalls %llu %llu %u\n", (unsigned long long)seed, (unsigned long long)calls, workers);
	fflush(stdout);
	err = run_parent(seed, calls, workers);
	printf("%llu calls, %llu children, %llu died, %llu stalled\n", (unsigned long long)made,
	       (unsigned long long)children, (unsigned long long)died, (unsigned long long)stalled);
	if (err == OK)
		printf("ok random_system_calls\n");
	else
		printf("not ok random_system_calls: error %d, seed %llu\n", err, (unsigned long long)seed);
	return err != OK;
}
