/* SPDX-License-Identifier: BSD-2-Clause */
/* crowd.c - more callers than activations: ten thousand threads at a door with one activation; who waits first is
 * served first; a deadline passes in the line.
 * The callers have neither libc nor a stack: rsp is where their record is. */
#include "check.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define CROWD 10000      /* on one CPU. The end of a thread costs a round of all CPUs, so where there are more: */
#define CROWD_OF_MANY 800
#define PRIORITY_CALLER 12
#define PRIORITY_STARTER 8

struct record {
	uint64_t door;   /* handle | timeout_us << 32 */
	uint64_t place;  /* when it was served, from 1; 0: it was not */
	int64_t result;
	uint64_t *done;  /* how many have come back */
};
_Static_assert(sizeof(struct record) == 32, "crowd_caller");

/* The server: answers with a number that it counts up, once the gate is open. */
uint64_t crowd_served, crowd_gate;
void crowd_entry(void);
void crowd_caller(void);
__asm__(".text\n"
	"crowd_entry:\n"
	"1:	cmpq $0, crowd_gate(%rip)\n"
	"	jne 2f\n"
	"	mov $4, %eax; syscall\n" /* clock_get */
	"	lea 1000000(%rdx), %rdi\n"
	"	mov $26, %eax; syscall\n" /* thread_sleep */
	"	jmp 1b\n"
	"2:	mov $1, %esi\n"
	"	lock xaddq %rsi, crowd_served(%rip)\n"
	"	inc %rsi\n"
	"	xor %edi, %edi\n xor %edx, %edx\n xor %r10d, %r10d\n xor %r8d, %r8d\n xor %r9d, %r9d\n xor %r12d, %r12d\n"
	"	xor %r13d, %r13d\n"
	"	mov $2, %eax; syscall\n" /* door_return */
	"	ud2\n"
	"crowd_caller:\n"
	"	mov %rdi, %rsp\n"
	"	mov (%rsp), %rdi\n"
	"	xor %esi, %esi\n xor %edx, %edx\n xor %r10d, %r10d\n xor %r8d, %r8d\n xor %r9d, %r9d\n xor %r12d, %r12d\n"
	"	xor %r13d, %r13d\n xor %ebp, %ebp\n xor %r15d, %r15d\n"
	"	mov $1, %eax; syscall\n" /* door_call */
	"	mov %rsi, 8(%rsp)\n"
	"	mov %rax, 16(%rsp)\n"
	"	mov 24(%rsp), %rbx\n"
	"	lock incq (%rbx)\n"
	"	xor %edi, %edi\n"
	"	mov $21, %eax; syscall\n" /* thread_exit */
	"	ud2\n");
_Static_assert(SYSCALL_door_call == 1 && SYSCALL_door_return == 2 && SYSCALL_clock_get == 4 &&
	       SYSCALL_thread_exit == 21 && SYSCALL_thread_sleep == 26, "crowd_entry, crowd_caller");

static handle_t door;
static struct record *records;
static uint64_t done;

static void pause_ns(uint64_t ns)
{
	(void)!lintel_thread_sleep(lintel_clock_ns() + ns);
}

static void stay_on(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		check_fail("no affinity");
}

static handle_t thread[CROWD];

static err_t caller_create(uint32_t index, uint32_t cpu, uint32_t timeout_us)
{
	err_t err = lintel_thread_create(lintel_process(), "caller", 6, &thread[index]);

	records[index] = (struct record){ door | (uint64_t)timeout_us << 32, 0, 0, &done };
	if (err == OK)
		err = lintel_thread_set_affinity(thread[index], 1ull << cpu);
	return err == OK ? lintel_thread_set_priority(thread[index], PRIORITY_CALLER) : err;
}

static err_t caller_start(uint32_t index)
{
	uint64_t record = (uintptr_t)&records[index];
	err_t err = lintel_thread_start(thread[index], (uintptr_t)crowd_caller, record, 0, record);

	(void)!lintel_handle_close(thread[index]);
	return err;
}

static bool all_back(uint64_t count)
{
	uint64_t end = lintel_clock_ns() + 120000000000ull; /* a hang detector */

	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < count) {
		if (lintel_clock_ns() > end)
			return false;
		pause_ns(1000000);
	}
	return true;
}

static void begin(bool gate)
{
	crowd_served = done = 0;
	__atomic_store_n(&crowd_gate, gate, __ATOMIC_RELEASE);
}

static void a_crowd_of_callers(void)
{
	uint32_t crowd = kit_cpu_count() == 1 ? CROWD : CROWD_OF_MANY;

	begin(false);
	for (uint32_t i = 0; i < crowd; i++)
		CHECK_EQUAL(caller_create(i, i % kit_cpu_count(), 0), OK);
	for (uint32_t i = 0; i < crowd; i++)
		CHECK_EQUAL(caller_start(i), OK);
	pause_ns(50000000);
	CHECK_EQUAL(done, 0);
	__atomic_store_n(&crowd_gate, 1, __ATOMIC_RELEASE);
	CHECK(all_back(crowd));
	CHECK_EQUAL(crowd_served, crowd);
	for (uint32_t i = 0; i < crowd; i++)
		CHECK(records[i].result == OK && records[i].place != 0);
}

/* Two lines on this thread's own CPU, of callers that go before it: each stands in the line before the next one comes.
 * The first IN_LINE have all the time; every third of the others has not. */
#define IN_LINE 300
#define IN_LINE_TOO 90
#define IS_IMPATIENT(i) ((i) >= IN_LINE && (i) % 3 == 1)

static void the_lines_are_prepared(void)
{
	const handle_t self = lintel_startup_handle(STARTUP_THREAD, STARTUP_ANY, 0);

	for (uint32_t i = 0; i < IN_LINE + IN_LINE_TOO; i++)
		CHECK_EQUAL(caller_create(i, 0, IS_IMPATIENT(i) ? 5000 : 0), OK);
	CHECK_EQUAL(lintel_thread_set_priority(self, PRIORITY_STARTER), OK);
	stay_on(0);
}

static void first_come_first_served(void)
{
	begin(false);
	for (uint32_t i = 0; i < IN_LINE; i++)
		CHECK_EQUAL(caller_start(i), OK);
	__atomic_store_n(&crowd_gate, 1, __ATOMIC_RELEASE);
	CHECK(all_back(IN_LINE));
	for (uint32_t i = 0; i < IN_LINE; i++)
		CHECK_EQUAL(records[i].place, i + 1);
}

static void deadlines_pass_in_the_line(void)
{
	uint32_t served = 0;

	begin(false);
	for (uint32_t i = IN_LINE; i < IN_LINE + IN_LINE_TOO; i++)
		CHECK_EQUAL(caller_start(i), OK);
	CHECK(all_back(IN_LINE_TOO / 3));
	CHECK_EQUAL(done, IN_LINE_TOO / 3);
	__atomic_store_n(&crowd_gate, 1, __ATOMIC_RELEASE);
	CHECK(all_back(IN_LINE_TOO));
	for (uint32_t i = IN_LINE; i < IN_LINE + IN_LINE_TOO; i++) {
		CHECK_EQUAL(records[i].result, IS_IMPATIENT(i) ? ERR_TIMED_OUT : OK);
		CHECK_EQUAL(records[i].place, IS_IMPATIENT(i) ? 0 : ++served);
	}
}

static err_t prepare(void)
{
	err_t err = lintel_door_create((uintptr_t)crowd_entry, "crowd", 5, &door);

	records = calloc(CROWD, sizeof(*records));
	if (records == NULL)
		return ERR_NO_MEMORY;
	for (uint32_t cpu = 0; err == OK && cpu < kit_cpu_count(); cpu++) /* its stack is never touched */
		err = lintel_door_donate(door, cpu, ((uintptr_t)records + 64) & ~15ull, (uintptr_t)records);
	return err;
}

int main(void)
{
	err_t err = prepare();

	if (err != OK) {
		printf("not ok crowd: cannot serve, error %d\n", (int)err);
		return 1;
	}
	CHECK_RUN(a_crowd_of_callers);
	CHECK_RUN(the_lines_are_prepared);
	CHECK_RUN(first_come_first_served);
	CHECK_RUN(deadlines_pass_in_the_line);
	return check.failed;
}
