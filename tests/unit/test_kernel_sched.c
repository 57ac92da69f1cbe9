/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kernel_sched.c - the scheduler, waiting, timers and the life of threads, run for real on this machine: each
 * CPU is a pthread whose GS base is its struct cpu, so that races between CPUs happen as they do on the metal.
 * Interrupts are flags that are looked at wherever the kernel would have them on. A hang is a lost wake-up.
 * Its threads change from one of the machine's stacks to another, which the sanitizer's own frames do not survive:
 * asan: detect_stack_use_after_return=0
 * link: */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

/* A name that the C library has as well. */
#define sched_yield kernel_sched_yield

/* The machine's own interrupt flag is not ours to change: kernel/arch.h's inline functions step aside. */
#define arch_irq_save machine_irq_save
#define arch_irq_restore machine_irq_restore
#define arch_irq_enable machine_irq_enable
#define arch_irq_disable machine_irq_disable
#define arch_irq_enabled machine_irq_enabled
#define arch_pause machine_pause
#include "kernel/arch.h"
#undef arch_irq_save
#undef arch_irq_restore
#undef arch_irq_enable
#undef arch_irq_disable
#undef arch_irq_enabled
#undef arch_pause

static uint64_t arch_irq_save(void);
static void arch_irq_restore(uint64_t state);
static void arch_irq_enable(void);
static void arch_irq_disable(void);
static bool arch_irq_enabled(void);
static void arch_pause(void);

#include "kernel/object.c"
#include "kernel/sched.c"
#include "kernel/thread.c"
#include "kernel/timer.c"
#include "kernel/wait.c"

#define CPUS 3

void log_readers_wake(void) /* nobody reads a log here */
{
}

bool trace_is_on; /* never */

struct process *thread_here(const struct thread *thread) /* no doors here */
{
	return thread->home;
}

void trace_write(enum trace_kind kind, uint32_t detail, uint64_t value)
{
	(void)kind, (void)detail, (void)value;
}

struct cpu cpus[CPUS_MAX];
static struct host_cpu {
	bool irq_on;
	bool ipi;                /* [a] */
	uint64_t timer;          /* deadline */
} ALIGNED(64) host[CPUS];
static uint32_t host_stop; /* [a] */

/* ---- mm/port.h ---- */

void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock){ .rank = (uint8_t)rank };
}
void spin_lock(struct spinlock *lock)
{
	while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) != 0)
		arch_pause();
}
void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}
bool spin_is_held(const struct spinlock *lock)
{
	return __atomic_load_n(&lock->taken, __ATOMIC_RELAXED) != 0;
}
uint64_t spin_lock_irq(struct spinlock *lock)
{
	uint64_t state = arch_irq_save();

	spin_lock(lock);
	return state;
}
void spin_unlock_irq(struct spinlock *lock, uint64_t state)
{
	spin_unlock(lock);
	arch_irq_restore(state);
}
void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	abort();
}
uint32_t cpu_current(void)
{
	return cpu_this()->index;
}
uint32_t cpu_count(void)
{
	return CPUS;
}
void *phys_to_virt(paddr_t physical)
{
	return (void *)physical.v;
}
paddr_t virt_to_phys(const void *address)
{
	return PADDR((uint64_t)address);
}
void tlb_local_all(void)
{
}

/* ---- kernel/arch.h ---- */

uint64_t arch_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct host_cpu *host_this(void)
{
	return &host[cpu_this()->index];
}

static bool host_pending(struct host_cpu *cpu)
{
	return __atomic_load_n(&cpu->ipi, __ATOMIC_SEQ_CST) || arch_clock_ns() >= cpu->timer;
}

/* Take what has come. With interrupts on; handlers run with them off and switch to nobody. */
static void host_deliver(void)
{
	struct host_cpu *cpu = host_this();

	while (host_pending(cpu)) {
		cpu->irq_on = false;
		if (__atomic_exchange_n(&cpu->ipi, false, __ATOMIC_SEQ_CST))
			sched_interrupt();
		if (arch_clock_ns() >= cpu->timer) {
			cpu->timer = UINT64_MAX;
			timer_interrupt();
		}
		cpu->irq_on = true;
	}
}

static uint64_t arch_irq_save(void)
{
	uint64_t state = host_this()->irq_on;

	host_this()->irq_on = false;
	return state;
}
static void arch_irq_restore(uint64_t state)
{
	if (state)
		arch_irq_enable();
}
static void arch_irq_enable(void)
{
	host_this()->irq_on = true;
	host_deliver();
}
static void arch_irq_disable(void)
{
	host_this()->irq_on = false;
}
static UNUSED bool arch_irq_enabled(void)
{
	return host_this()->irq_on;
}
static void arch_pause(void)
{
	syscall(SYS_sched_yield); /* fewer cores than CPUs */
}
void arch_timer_set(uint64_t deadline_ns)
{
	host_this()->timer = deadline_ns;
}
void arch_ipi_reschedule(uint32_t cpu)
{
	__atomic_store_n(&host[cpu].ipi, true, __ATOMIC_SEQ_CST);
}
void arch_idle(void)
{
	while (!host_pending(host_this())) {
		if (__atomic_load_n(&host_stop, __ATOMIC_ACQUIRE))
			pthread_exit(NULL);
		arch_pause();
	}
	arch_irq_enable();
}
static uint64_t roots[CPUS_MAX]; /* of each CPU */

uint32_t arch_load_root(uint64_t root)
{
	roots[cpu_this()->index] = root;
	return 0;
}
uint64_t root_current(void)
{
	return roots[cpu_this()->index];
}
void doors_retire(void)
{
}
void arch_fpu_save(void *area)
{
	(void)area;
}

void host_switch(uint64_t *old_rsp, uint64_t new_rsp);
__asm__(".text\nhost_switch: push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, (%rdi); mov %rsi, %rsp\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret\n");

void arch_thread_prepare(struct arch_context *context, void *kstack_top, void (*first)(void))
{
	uint64_t *stack = (uint64_t *)((uint64_t)kstack_top - sizeof(struct trap_frame));

	*--stack = 0;
	*--stack = (uint64_t)first;
	for (int i = 0; i < 6; i++)
		*--stack = 0;
	context->rsp = (uint64_t)stack;
}
void arch_switch(struct thread *previous, struct thread *next)
{
	host_switch(&previous->context.rsp, next->context.rsp);
}
struct trap_frame *arch_user_frame(struct thread *thread)
{
	return (struct trap_frame *)thread->kstack_top - 1;
}
void arch_user_frame_init(struct trap_frame *frame, uint64_t rip, uint64_t rsp, uint64_t argument)
{
	*frame = (struct trap_frame){ .rip = rip, .rsp = rsp, .rdi = argument };
}

/* The border to user mode. */
static void host_user(void)
{
	arch_irq_disable();
	user_return_work(NULL);
	arch_irq_enable();
}
void arch_return_to_user(struct trap_frame *frame)
{
	arch_irq_enable();
	host_user();
	((void (*)(uint64_t))frame->rip)(frame->rdi);
	thread_exit();
}

/* ---- the rest of the kernel ---- */

static uint32_t stacks_in_use; /* [a] */

uint64_t kernel_root(void)
{
	return 1;
}
err_t frame_alloc(struct account *account, paddr_t *out)
{
	void *frame = aligned_alloc(4096, 4096);

	(void)account;
	__builtin_memset(frame, 0xa5, 4096);
	*out = virt_to_phys(frame);
	return OK;
}
void frame_free(struct account *account, paddr_t frame)
{
	(void)account;
	free(phys_to_virt(frame));
}
err_t account_charge(struct account *account, uint64_t pages)
{
	(void)account;
	(void)pages;
	return OK;
}
void account_release(struct account *account, uint64_t pages)
{
	(void)account;
	(void)pages;
}
#define HOST_STACK_BYTES (256u << 10)
err_t kstack_alloc(void **top)
{
	char *stack = mmap(NULL, HOST_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	__atomic_add_fetch(&stacks_in_use, 1, __ATOMIC_RELAXED);
	*top = stack + HOST_STACK_BYTES;
	return OK;
}
void kstack_free(void *top) /* whoever still runs on it dies of it; never given out again */
{
	__atomic_sub_fetch(&stacks_in_use, 1, __ATOMIC_RELAXED);
	mprotect((char *)top - HOST_STACK_BYTES, HOST_STACK_BYTES, PROT_NONE);
}
uint64_t space_root(struct space *space, uint32_t cpu)
{
	(void)space;
	return cpu + 2;
}
bool space_enter(struct space *space, uint32_t cpu)
{
	(void)space;
	(void)cpu;
	return false;
}
void door_unwind(struct trap_frame *frame)
{
	(void)frame;
}
static void no_destroy(struct object *object)
{
	(void)object;
	panic("the process was freed");
}
static const struct object_class home_class = { .type = OBJECT_PROCESS, .destroy = no_destroy };
static struct process home;
void process_thread_ended(struct process *process)
{
	spin_lock(&process->lock);
	process->thread_count--;
	spin_unlock(&process->lock);
}

/* ---- CPUs ---- */

static pthread_t host_threads[CPUS];
static void (*setup)(void); /* run by CPU 0 before it goes idle, as kernel_main does */

static void *cpu_run(void *index)
{
	struct cpu *cpu = &cpus[(uintptr_t)index];

	cpu->self = cpu;
	cpu->index = (uint32_t)(uintptr_t)index;
	syscall(SYS_arch_prctl, ARCH_SET_GS, cpu);
	sched_init_cpu();
	while (cpu->index == 0 && sched_allowed() != (1u << CPUS) - 1)
		arch_pause();
	if (cpu->index == 0)
		setup();
	sched_start();
}

static struct thread *made[64];
static uint32_t made_count;

static struct thread *make_thread(void (*body)(uint64_t), uint64_t argument)
{
	struct thread *thread;

	ASSERT(thread_create(&home, "t", &thread) == OK);
	made[made_count++] = thread;
	ASSERT(thread_start(thread, (uint64_t)body, 0, 0, argument) == OK);
	return thread;
}

static void run(void (*what)(void))
{
	uint64_t limit = arch_clock_ns() + 300000000000ull;

	__builtin_memset(cpus, 0, sizeof(cpus));
	running_cpus = 0;
	host_stop = 0;
	made_count = 0;
	setup = what;
	for (int i = 0; i < CPUS; i++)
		host[i] = (struct host_cpu){ .timer = UINT64_MAX };
	object_init(&home.object, &home_class);
	spin_init(&home.lock, LOCK_RANK_PROCESS);
	list_init(&home.threads);
	home.state = PROCESS_RUNNING;
	thread_init();
	__atomic_store_n(&stacks_in_use, 1, __ATOMIC_RELEASE); /* ours, until all are made */
	for (uintptr_t i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&host_threads[i], NULL, cpu_run, (void *)i), 0);
	while (__atomic_load_n(&stacks_in_use, __ATOMIC_ACQUIRE) != 0) {
		if (arch_clock_ns() > limit)
			panic("hung: %u threads have not ended", stacks_in_use);
		usleep(1000);
	}
	__atomic_store_n(&host_stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < CPUS; i++)
		pthread_join(host_threads[i], NULL);
	for (uint32_t i = 0; i < made_count; i++)
		assert_int_equal(object_signals(&made[i]->object), SIGNAL_TERMINATED);
	assert_int_equal(home.thread_count, 0);
	assert_true(list_is_empty(&home.threads));
	assert_int_equal(thread_count(), made_count); /* our references are all that is left */
	for (uint32_t i = 0; i < CPUS; i++) {
		assert_true(cpus[i].ready == 0 && cpus[i].ready_bits == 0);
		assert_true(list_is_empty(&cpus[i].timers) && list_is_empty(&cpus[i].dead));
		free(container_of(cpus[i].idle, struct thread_block, thread));
	}
	for (uint32_t i = 0; i < made_count; i++)
		free(container_of(made[i], struct thread_block, thread));
}

static void setup_done(void)
{
	__atomic_sub_fetch(&stacks_in_use, 1, __ATOMIC_RELEASE);
}

/* ---- what the threads do ---- */

#define ROUNDS 20000
#define PAIRS 5

static struct object event[2 * PAIRS];
static const struct object_class event_class_host = { .type = OBJECT_EVENT, .destroy = no_destroy };
static uint64_t turns[2 * PAIRS];

/* Threads 2i and 2i + 1 hand a turn to and fro; every other wait has a deadline that may come first. */
static void ping_pong(uint64_t me)
{
	struct object *mine = &event[me], *theirs = &event[me ^ 1];
	uint32_t seen;

	for (int i = 0; i < ROUNDS; i++) {
		while (object_wait(mine, 1, i % 2 ? DEADLINE_NEVER : arch_clock_ns() + 20000, &seen) != OK)
			host_user();
		object_signal(mine, 1, 0);
		turns[me]++;
		object_signal(theirs, 0, 1);
		if (i % 16 == 0)
			ASSERT(thread_set_affinity(thread_current(), 1u + (uint64_t)i / 16 % 7) == OK);
		if (i % 5 == 0)
			sched_yield();
		host_user();
	}
}

static void setup_ping_pong(void)
{
	for (uint64_t i = 0; i < 2 * PAIRS; i++)
		object_init(&event[i], &event_class_host);
	for (uint64_t i = 0; i < 2 * PAIRS; i++)
		make_thread(ping_pong, i);
	for (uint64_t i = 0; i < 2 * PAIRS; i += 2)
		object_signal(&event[i], 0, 1);
	setup_done();
}

static void no_turn_is_lost(void **state)
{
	(void)state;
	__builtin_memset(turns, 0, sizeof(turns));
	run(setup_ping_pong);
	for (int i = 0; i < 2 * PAIRS; i++)
		assert_int_equal(turns[i], ROUNDS);
}

static struct thread *nudged[6];
static uint64_t canceled[6];
static uint32_t nudged_left;

/* Sleeps without end, again and again; only a pending bit gets it out. */
static void sleeper(uint64_t me)
{
	while (canceled[me] < 2000) {
		if (wait_block(me % 2 ? DEADLINE_NEVER : arch_clock_ns() + 50000, false) == ERR_CANCELED)
			canceled[me]++;
		host_user(); /* takes the bit away */
	}
	__atomic_sub_fetch(&nudged_left, 1, __ATOMIC_SEQ_CST);
}

static void nudger(uint64_t unused)
{
	(void)unused;
	while (__atomic_load_n(&nudged_left, __ATOMIC_SEQ_CST) != 0) {
		for (int i = 0; i < 6; i++)
			thread_pend(nudged[i], PENDING_PEER_DIED);
		if (wait_block(arch_clock_ns() + 30000, true) != ERR_TIMED_OUT)
			panic("woken by nobody");
		host_user();
	}
}

static void setup_sleepers(void)
{
	nudged_left = 6;
	for (uint64_t i = 0; i < 6; i++) {
		canceled[i] = 0;
		nudged[i] = make_thread(sleeper, i);
	}
	make_thread(nudger, 0);
	setup_done();
}

static void a_pending_thread_never_sleeps_on(void **state)
{
	(void)state;
	run(setup_sleepers);
}

static uint64_t spins[4];
static uint32_t spinning;

static void spinner(uint64_t me)
{
	__atomic_add_fetch(&spinning, 1, __ATOMIC_SEQ_CST);
	/* All must get a turn, without yielding. */
	while (__atomic_load_n(&spinning, __ATOMIC_SEQ_CST) < 4 || spins[me] < 3) {
		host_deliver();
		host_user();
		spins[me]++;
	}
}

static void setup_spinners(void)
{
	__builtin_memset(spins, 0, sizeof(spins));
	spinning = 0;
	for (uint64_t i = 0; i < 4; i++) {
		struct thread *thread = make_thread(spinner, i);

		ASSERT(thread_set_affinity(thread, 2) == OK); /* all on CPU 1 */
	}
	setup_done();
}

static void equals_share_by_time_slices(void **state)
{
	(void)state;
	run(setup_spinners);
}

static struct timer timers[200];
static uint32_t fired, order_broken;
static uint64_t last_deadline;

static void timer_fired(struct timer *timer)
{
	if (timer->deadline < last_deadline || arch_clock_ns() < timer->deadline)
		order_broken++;
	last_deadline = timer->deadline;
	fired++;
}

static void timer_user(uint64_t unused)
{
	uint64_t now = arch_clock_ns();

	(void)unused;
	for (uint64_t i = 0; i < 200; i++)
		timer_arm(&timers[i], now + 1000000 + i * 7919 % 200 * 20000, timer_fired);
	for (uint64_t i = 0; i < 200; i += 4)
		timer_disarm(&timers[i]);
	while (arch_clock_ns() < now + 6000000)
		host_deliver();
}

static void setup_timers(void)
{
	fired = order_broken = 0;
	last_deadline = 0;
	make_thread(timer_user, 0);
	setup_done();
}

static void timers_come_in_order_and_not_after_disarming(void **state)
{
	(void)state;
	run(setup_timers);
	assert_int_equal(fired, 150);
	assert_int_equal(order_broken, 0);
}

static void chain(uint64_t left)
{
	if (left > 0)
		make_thread(chain, left - 1);
}

static void setup_chain(void)
{
	make_thread(chain, 40);
	setup_done();
}

static void threads_end_while_others_begin(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		run(setup_chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_come_in_order_and_not_after_disarming),
		cmocka_unit_test(no_turn_is_lost),
		cmocka_unit_test(a_pending_thread_never_sleeps_on),
		cmocka_unit_test(equals_share_by_time_slices),
		cmocka_unit_test(threads_end_while_others_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
