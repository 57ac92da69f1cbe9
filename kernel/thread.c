/* SPDX-License-Identifier: GPL-2.0-only */
/* thread.c - the life of a thread: made, started, told to end, ended, reaped.
 *
 * A thread ends itself, at the border to user mode or in thread_exit, where it holds nothing: others only pend it. Its
 * stack and its space are still in use while it switches away for the last time, so the CPU that it ran on sees to the
 * rest afterwards (sched_finish puts it on cpu->dead; sched_reap calls thread_reap).
 *
 * I1  A thread is on home->threads from creation until it ends or, if it never started, is freed.
 * I2  home->thread_count counts those that were started and have not been reaped; each of them holds a reference on
 * itself. */
#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/sched.h"
#include "kernel/trace.h"
#include "mm/frame.h"
#include "mm/kernel_space.h"

#define KSTACK_PAGES (KSTACK_BYTES / PAGE_SIZE)

/* A thread and its FPU state share a frame, which its home pays for. */
struct thread_block {
	uint8_t fpu[FPU_AREA_BYTES_MAX] ALIGNED(64);
	struct thread thread;
};
_Static_assert(sizeof(struct thread_block) <= PAGE_SIZE, "a thread and its FPU state share a frame");

static uint32_t next_tid;     /* [a] */
static uint32_t threads_made; /* [a] created and not freed */

void thread_init(void)
{
	next_tid = 1;
	threads_made = 0;
}

uint32_t thread_count(void)
{
	return __atomic_load_n(&threads_made, __ATOMIC_RELAXED);
}

static void block_free(struct account *account, struct thread *thread)
{
	frame_free(account, virt_to_phys(container_of(thread, struct thread_block, thread)));
}

static void stack_free(struct thread *thread)
{
	if (thread->kstack_top == NULL)
		return;
	kstack_free(thread->kstack_top);
	account_release(thread->home->account, KSTACK_PAGES);
	thread->kstack_top = NULL;
}

static void thread_destroy(struct object *object)
{
	struct thread *thread = container_of(object, struct thread, object);
	struct process *home = thread->home;

	spin_lock(&home->lock);
	list_remove(&thread->process_link); /* if it never started; else it is on no list */
	spin_unlock(&home->lock);
	stack_free(thread);
	block_free(home->account, thread);
	object_unref(&home->object);
	__atomic_sub_fetch(&threads_made, 1, __ATOMIC_RELAXED);
}

const struct object_class thread_class = {
	.type = OBJECT_THREAD,
	.rights = THREAD_RIGHTS,
	.destroy = thread_destroy,
};

static err_t block_alloc(struct account *account, struct thread **out)
{
	struct thread_block *block;
	paddr_t frame;
	err_t err = frame_alloc(account, &frame);

	if (err != OK)
		return err;
	block = phys_to_virt(frame);
	__builtin_memset(&block->thread, 0, sizeof(block->thread)); /* the FPU area is arch_thread_prepare's */
	object_init(&block->thread.object, &thread_class);
	block->thread.context.fpu = block->fpu;
	block->thread.state = THREAD_NEW;
	block->thread.affinity = UINT64_MAX;
	block->thread.priority = PRIORITY_DEFAULT;
	list_init(&block->thread.process_link);
	list_init(&block->thread.run_link);
	*out = &block->thread;
	return OK;
}

static err_t stack_alloc(struct thread *thread, struct account *account)
{
	err_t err = account_charge(account, KSTACK_PAGES);

	if (err != OK)
		return err;
	err = kstack_alloc(&thread->kstack_top);
	if (err != OK)
		account_release(account, KSTACK_PAGES);
	return err;
}

err_t thread_create(struct process *home, const char *name, struct thread **out)
{
	struct thread *creator = thread_current(), *thread;
	err_t err = block_alloc(home->account, &thread);

	if (err != OK)
		return err;
	err = stack_alloc(thread, home->account);
	if (err != OK)
		goto free_block;
	thread->home = home;
	thread->tid = __atomic_fetch_add(&next_tid, 1, __ATOMIC_RELAXED);
	thread->cpu = cpu_current();
	if (creator->home != NULL) /* not on the way up: priority is inherited, so that nobody can raise it by creating */
		thread->priority = creator->priority;
	for (uint32_t i = 0; i < sizeof(thread->name) - 1 && name[i] != '\0'; i++)
		thread->name[i] = name[i];
	spin_lock(&home->lock);
	if (process_is_ending(home))
		err = ERR_BAD_STATE;
	else
		list_append(&home->threads, &thread->process_link);
	spin_unlock(&home->lock);
	if (err != OK)
		goto free_stack;
	object_ref(&home->object);
	__atomic_add_fetch(&threads_made, 1, __ATOMIC_RELAXED);
	*out = thread;
	return OK;
free_stack:
	stack_free(thread);
free_block:
	block_free(home->account, thread);
	return err;
}

struct thread *thread_create_idle(uint32_t cpu)
{
	struct thread *thread;

	if (block_alloc(NULL, &thread) != OK)
		panic("no memory for the idle thread of CPU %u", cpu);
	thread->cpu = cpu;
	thread->priority = 0;
	thread->state = THREAD_RUNNING;
	thread->on_cpu = true;
	thread->kstack_top = (void *)cpu_this()->kstack_top;
	thread->context.fpu = NULL; /* it has no such state: nothing is saved for it, nor loaded */
	return thread;
}

/* ---- starting ---- */

static void thread_first(void)
{
	sched_finish();
	arch_return_to_user(arch_user_frame(thread_current()));
}

/* Ready to be switched to, with the user frame filled. Its home's lock is held: nobody may find it BLOCKED before. */
static void prepare(struct thread *thread, uint64_t fs_base)
{
	arch_thread_prepare(&thread->context, thread->kstack_top, thread_first);
	thread->context.user_fs = fs_base;
	thread->home->thread_count++;
	object_ref(&thread->object); /* its own */
	__atomic_store_n(&thread->state, THREAD_BLOCKED, __ATOMIC_SEQ_CST);
}

static err_t start(struct thread *thread, uint32_t states, uint64_t entry, uint64_t stack, uint64_t tls,
		   uint64_t argument)
{
	struct process *home = thread->home;
	err_t err = ERR_BAD_STATE;

	spin_lock(&home->lock);
	if (thread->state == THREAD_NEW && (states & 1u << home->state)) {
		arch_user_frame_init(arch_user_frame(thread), entry, stack, argument);
		prepare(thread, tls);
		if (home->state == PROCESS_CREATED)
			trace_process(home);
		__atomic_store_n(&home->state, PROCESS_RUNNING, __ATOMIC_RELEASE);
		err = OK;
	}
	spin_unlock(&home->lock);
	if (err == OK)
		(void)sched_ready(thread);
	return err;
}

err_t thread_start(struct thread *thread, uint64_t entry, uint64_t stack, uint64_t tls, uint64_t argument)
{
	return start(thread, 1u << PROCESS_CREATED | 1u << PROCESS_RUNNING, entry, stack, tls, argument);
}

err_t thread_start_in(struct thread *thread, enum process_state wanted, uint64_t entry, uint64_t stack, uint64_t tls,
		      uint64_t argument)
{
	return start(thread, 1u << wanted, entry, stack, tls, argument);
}

void thread_start_as(struct thread *thread, const struct trap_frame *frame, uint64_t fs_base)
{
	struct process *home = thread->home;

	thread->cpu = cpu_current();
	thread->priority = thread_current()->priority;
	spin_lock(&home->lock);
	ASSERT(thread->state == THREAD_NEW && home->state != PROCESS_ENDED);
	*arch_user_frame(thread) = *frame;
	prepare(thread, fs_base);
	arch_fpu_save(thread->context.fpu);
	if (process_is_ending(home)) /* process_end has passed it by: it had not started */
		__atomic_or_fetch(&thread->pending, PENDING_KILL | PENDING_PEER_DIED, __ATOMIC_SEQ_CST);
	spin_unlock(&home->lock);
	(void)sched_ready(thread);
}

/* ---- being told ---- */

void thread_pend(struct thread *thread, uint32_t pending)
{
	uint64_t state = arch_irq_save();
	struct cpu *cpu;

	__atomic_or_fetch(&thread->pending, pending, __ATOMIC_SEQ_CST);
	if ((pending & ~(uint32_t)PENDING_MIGRATE) && sched_ready(thread))
		goto out; /* it slept; it looks at what is pending before it sleeps on (wait.c) */
	/* If it is not on a CPU now, the CPU that takes it looks (I3 of sched.c). */
	cpu = &cpus[__atomic_load_n(&thread->cpu, __ATOMIC_SEQ_CST)];
	if (__atomic_load_n(&cpu->current, __ATOMIC_SEQ_CST) != thread)
		goto out;
	if (cpu == cpu_this())
		__atomic_or_fetch(&cpu->return_work, RETURN_THREAD, __ATOMIC_RELAXED);
	else
		arch_ipi_reschedule(cpu->index);
out:
	arch_irq_restore(state);
}

void thread_return_work(struct trap_frame *frame)
{
	struct thread *thread = thread_current();
	const uint32_t handled = PENDING_DEADLINE | PENDING_PEER_DIED | PENDING_MIGRATE;
	uint32_t pending = __atomic_fetch_and(&thread->pending, ~handled, __ATOMIC_SEQ_CST);

	if (pending & (PENDING_DEADLINE | PENDING_PEER_DIED))
		door_unwind(frame);
	if (thread->activation == NULL && (__atomic_load_n(&thread->pending, __ATOMIC_SEQ_CST) & PENDING_KILL)) {
		arch_irq_enable();
		thread_exit();
	}
	if (!(pending & PENDING_MIGRATE))
		return;
	if (thread->depth == 0)
		sched_preempt();
	else /* kept for when it has left the call */
		__atomic_or_fetch(&thread->pending, PENDING_MIGRATE, __ATOMIC_SEQ_CST);
}

err_t thread_set_affinity(struct thread *thread, uint64_t mask)
{
	if ((mask & sched_allowed()) == 0)
		return ERR_ARGS;
	__atomic_store_n(&thread->affinity, mask, __ATOMIC_SEQ_CST);
	sched_apply_affinity(thread);
	if (!(mask >> __atomic_load_n(&thread->cpu, __ATOMIC_SEQ_CST) & 1))
		thread_pend(thread, PENDING_MIGRATE);
	return OK;
}

void thread_set_priority(struct thread *thread, uint32_t priority)
{
	sched_reprioritise(thread, priority);
}

/* ---- ending ---- */

NORETURN void thread_exit(void)
{
	struct thread *thread = thread_current();
	struct process *home = thread->home;

	ASSERT(thread->activation == NULL && thread->depth == 0);
	spin_lock(&home->lock);
	list_remove(&thread->process_link);
	home->cpu_ns += thread->cpu_ns + (arch_clock_ns() - thread->started_ns);
	spin_unlock(&home->lock);
	arch_irq_disable();
	__atomic_store_n(&thread->state, THREAD_ENDED, __ATOMIC_SEQ_CST);
	sched_switch();
	panic("an ended thread was switched to");
}

/* In this order: who sees a thread, or a process, terminated finds its memory given back. */
void thread_reap(struct thread *thread)
{
	struct process *home = thread->home;

	object_ref(&home->object);
	stack_free(thread);
	object_signal(&thread->object, 0, SIGNAL_TERMINATED);
	object_unref(&thread->object);
	process_thread_ended(home);
	object_unref(&home->object);
}
