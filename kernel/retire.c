/* SPDX-License-Identifier: GPL-2.0-only */
/* retire.c - the end of doors. A call holds no reference on its door: that would be two writes to a line that every CPU
 * writes. So when a door's last reference goes, two questions are left, and one round of all CPUs answers both:
 *   - May a CPU still be reading the door (handle.h, L2)? It had interrupts off, and is done when it answers.
 *   - Is a call that came through it still under way? Each CPU looks at its own activations of that server, counts
 *   those
 *     in door->retired_users and marks them SPECIAL_CLOSING, so that they leave by the long way and count themselves
 *     off.
 * Only then is the badge closed: the server may forget its session.
 *
 * Retiring is put off until the CPU that dropped the reference passes its border to user mode (RETURN_REAP), where no
 * lock is held; all doors that were dropped until then share one round. */
#include "kernel/door.h"

#include "kernel/cpu.h"

void door_retire(struct door *door)
{
	uint64_t interrupts = arch_irq_save();
	struct cpu *cpu = cpu_this();

	door->retired_next = cpu->doors_retired;
	cpu->doors_retired = door;
	__atomic_or_fetch(&cpu->return_work, RETURN_REAP, __ATOMIC_RELAXED);
	arch_irq_restore(interrupts);
}

/* On each CPU, interrupts off. */
static void users_mark(void *argument)
{
	for (struct door *door = argument; door != NULL; door = door->retired_next) {
		struct serving_cpu *here = door->serving->cpu[cpu_current()];
		struct activation *a = here->arrived == here->left ? NULL : __atomic_load_n(&here->all, __ATOMIC_ACQUIRE);

		for (; a != NULL; a = a->all_next) {
			if (a->thread == NULL || a->door != door)
				continue;
			__atomic_or_fetch(&a->special, SPECIAL_CLOSING, __ATOMIC_RELAXED);
			__atomic_add_fetch(&door->retired_users, 1, __ATOMIC_RELAXED);
		}
	}
}

void door_user_left(struct door *door)
{
	if (__atomic_sub_fetch(&door->retired_users, 1, __ATOMIC_ACQ_REL) == 0)
		door_is_closed(door);
}

void doors_retire(void)
{
	uint64_t interrupts = arch_irq_save();
	struct door *batch = cpu_this()->doors_retired;

	cpu_this()->doors_retired = NULL;
	for (struct door *door = batch; door != NULL; door = door->retired_next)
		door->retired_users = 1; /* ours, until the round is over */
	users_mark(batch);
	arch_irq_restore(interrupts);
	if (batch == NULL)
		return;
	tlb_round((struct cpu_set){ UINT64_MAX }, users_mark, batch);
	while (batch != NULL) {
		struct door *door = batch;

		batch = door->retired_next;
		door_user_left(door);
	}
}
