/* SPDX-License-Identifier: GPL-2.0-only */
/* timer.c - one-shot timers, a list by deadline for each CPU; the hardware is set for the first of them or the end of
 * the time slice, whichever comes first, and stopped when there is neither.
 *
 * I1  A timer that is armed is on the list of cpus[timer->cpu]; its cpu changes only while it is disarmed.
 * I2  The list is sorted, equal deadlines in the order of arming. Most deadlines lie later than all others, so that the
 *     place is searched from the end.
 * I3  While expired() of a timer runs, timer_running of its CPU names it: timer_disarm waits for that. */
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/sched.h"
#include "kernel/wait.h"

void timer_init_cpu(void)
{
	struct cpu *cpu = cpu_this();

	list_init(&cpu->timers);
	spin_init(&cpu->timer_lock, LOCK_RANK_SCHED);
	cpu->timer_running = NULL;
	cpu->timer_set = DEADLINE_NEVER;
	cpu->slice_end = DEADLINE_NEVER;
}

static uint64_t first_deadline(struct cpu *cpu)
{
	uint64_t state = spin_lock_irq(&cpu->timer_lock);
	uint64_t deadline = DEADLINE_NEVER;

	if (!list_is_empty(&cpu->timers))
		deadline = list_entry(cpu->timers.next, struct timer, link)->deadline;
	spin_unlock_irq(&cpu->timer_lock, state);
	return deadline;
}

void timer_program(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t deadline = first_deadline(cpu);

	if (cpu->slice_end < deadline)
		deadline = cpu->slice_end;
	if (deadline == cpu->timer_set)
		return;
	cpu->timer_set = deadline;
	arch_timer_set(deadline);
}

static void insert(struct list *timers, struct timer *timer)
{
	struct list *after = timers->previous;

	while (after != timers && list_entry(after, struct timer, link)->deadline > timer->deadline)
		after = after->previous;
	list_prepend(after, &timer->link); /* behind `after` */
}

void timer_arm(struct timer *timer, uint64_t deadline, void (*expired)(struct timer *timer))
{
	uint64_t state = arch_irq_save();
	struct cpu *cpu = cpu_this();
	uint64_t inner;

	ASSERT(!timer->armed);
	timer->deadline = deadline;
	timer->expired = expired;
	timer->cpu = cpu->index;
	inner = spin_lock_irq(&cpu->timer_lock);
	timer->armed = true;
	insert(&cpu->timers, timer);
	spin_unlock_irq(&cpu->timer_lock, inner);
	timer_program();
	arch_irq_restore(state);
}

void timer_disarm(struct timer *timer)
{
	struct cpu *cpu = &cpus[timer->cpu];
	uint64_t state;

	if (timer->expired == NULL) /* never armed */
		return;
	state = spin_lock_irq(&cpu->timer_lock);
	if (timer->armed) {
		timer->armed = false;
		list_remove(&timer->link);
	}
	spin_unlock_irq(&cpu->timer_lock, state);
	while (__atomic_load_n(&cpu->timer_running, __ATOMIC_ACQUIRE) == timer)
		arch_pause();
	/* The hardware may come once too early now: cheaper than setting it again. */
}

static struct timer *take_expired(struct cpu *cpu, uint64_t now)
{
	uint64_t state = spin_lock_irq(&cpu->timer_lock);
	struct timer *timer = NULL;

	if (!list_is_empty(&cpu->timers)) {
		timer = list_entry(cpu->timers.next, struct timer, link);
		if (timer->deadline > now) {
			timer = NULL;
		} else {
			timer->armed = false;
			list_remove(&timer->link);
		}
	}
	__atomic_store_n(&cpu->timer_running, timer, __ATOMIC_RELEASE);
	spin_unlock_irq(&cpu->timer_lock, state);
	return timer;
}

void timer_run(uint64_t now)
{
	struct cpu *cpu = cpu_this();
	struct timer *timer;

	cpu->timer_set = DEADLINE_NEVER; /* one-shot: it has come */
	while ((timer = take_expired(cpu, now)) != NULL)
		timer->expired(timer);
}
