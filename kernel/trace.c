/* SPDX-License-Identifier: GPL-2.0-only */
/* trace.c - see trace.h. The rings are made when tracing is switched on for the first time, and kept.
 *
 * I1  A ring is written by its CPU only, with interrupts off; `written` counts up behind the record. So a reader that
 *     stays below `written` and a ring's length behind it sees whole records only.
 * I2  Reading needs tracing to be off. Writers that saw it on and are still at it (one a CPU, and the interrupts on top
 *     of it) write into the slots that readers keep away from. */
#include "kernel/trace.h"

#include "kernel/cpu.h"
#include "kernel/resource.h"
#include "kernel/syscall_handlers.h"
#include "mm/frame.h"

#define RING_PAGES 128
#define PAGE_RECORDS (PAGE_SIZE / sizeof(struct trace_record))
#define RING_RECORDS (RING_PAGES * PAGE_RECORDS)
#define RING_LATE 8 /* I2 */

_Static_assert(PAGE_RECORDS == TRACE_READ_MAX, "a call reads at most a page");
_Static_assert((RING_RECORDS & (RING_RECORDS - 1)) == 0, "positions wrap by a mask");

struct trace_ring {
	uint64_t written;                      /* [a] records since tracing was switched on */
	struct trace_record *page[RING_PAGES]; /* [I] once tracing has been on */
} ALIGNED(64);

bool trace_is_on;
static struct trace_ring *rings; /* [control] cpu_count() of them; one run of frames */
static struct spinlock control = SPINLOCK_INIT(LOCK_RANK_OBJECT);

static struct trace_record *record_at(const struct trace_ring *ring, uint64_t position)
{
	position &= RING_RECORDS - 1;
	return &ring->page[position / PAGE_RECORDS][position % PAGE_RECORDS];
}

void trace_write(enum trace_kind kind, uint32_t detail, uint64_t value)
{
	uint64_t state = arch_irq_save();
	const struct thread *thread = thread_current();
	struct trace_ring *ring = &rings[cpu_current()];
	uint64_t position = ring->written;

	*record_at(ring, position) = (struct trace_record){
		.time_ns = arch_clock_ns(),
		.thread = thread->tid,
		.process = pid_here(thread),
		.kind = kind,
		.detail = detail,
		.value = value,
	};
	__atomic_store_n(&ring->written, position + 1, __ATOMIC_RELEASE); /* I1 */
	arch_irq_restore(state);
}

/* ---- made once ---- */

static void rings_free(struct trace_ring *made, uint64_t pages)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		for (uint32_t i = 0; i < RING_PAGES && made[cpu].page[i] != NULL; i++)
			frame_free(NULL, virt_to_phys(made[cpu].page[i]));
	frame_free_run(NULL, virt_to_phys(made), pages);
}

static err_t rings_make(void)
{
	uint64_t pages = (cpu_count() * sizeof(struct trace_ring) + PAGE_SIZE - 1) / PAGE_SIZE;
	struct trace_ring *made;
	paddr_t frame;
	err_t err = frame_alloc_run(NULL, pages, &frame);

	if (err != OK)
		return err;
	made = phys_to_virt(frame);
	__builtin_memset(made, 0, pages * PAGE_SIZE);
	for (uint32_t i = 0; i < cpu_count() * RING_PAGES; i++) {
		err = frame_alloc_zeroed(NULL, &frame);
		if (err != OK)
			goto free_made;
		made[i / RING_PAGES].page[i % RING_PAGES] = phys_to_virt(frame);
	}
	spin_lock(&control);
	if (rings == NULL) {
		__atomic_store_n(&rings, made, __ATOMIC_RELEASE);
		made = NULL;
	}
	spin_unlock(&control);
	if (made != NULL) /* somebody else was first */
		rings_free(made, pages);
	return OK;
free_made:
	rings_free(made, pages);
	return err;
}

/* ---- system calls ---- */

static err_t system_check(handle_t handle, uint32_t right)
{
	struct resource *system;
	err_t err = resource_get(handle, right, RESOURCE_SYSTEM, 0, 0, &system);

	if (err == OK)
		object_unref(&system->object);
	return err;
}

/* On each CPU. Calls that take the short way are not seen by the dispatcher; while tracing is on, none does. So tracing
 * that is off costs the short way nothing. */
static void calls_route(void *argument)
{
	arch_calls_short(!*(const bool *)argument);
}

static void calls_route_all(bool traced)
{
	uint64_t state = arch_irq_save();

	calls_route(&traced);
	arch_irq_restore(state);
	tlb_round((struct cpu_set){ UINT64_MAX }, calls_route, &traced);
}

err_t sys_trace_control(handle_t resource, uint32_t on)
{
	err_t err = system_check(resource, RIGHT_MANAGE);

	if (err != OK)
		return err;
	if (on > 1)
		return ERR_ARGS;
	if (on && __atomic_load_n(&rings, __ATOMIC_ACQUIRE) == NULL)
		err = rings_make();
	if (err != OK)
		return err;
	spin_lock(&control);
	if (on && !trace_is_on)
		for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
			__atomic_store_n(&rings[cpu].written, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&trace_is_on, on, __ATOMIC_SEQ_CST);
	calls_route_all(on);
	spin_unlock(&control);
	return OK;
}

err_t sys_trace_read(handle_t resource, uint32_t cpu, uint64_t index, void __user *records, uint64_t length,
	uint64_t *result)
{
	err_t err = system_check(resource, RIGHT_READ);
	const struct trace_ring *ring;
	uint64_t written, oldest, count;

	if (err != OK)
		return err;
	if (cpu >= cpu_count() || length > TRACE_READ_MAX * sizeof(struct trace_record) ||
		length % sizeof(struct trace_record) != 0)
		return ERR_ARGS;
	if (__atomic_load_n(&trace_is_on, __ATOMIC_SEQ_CST) || __atomic_load_n(&rings, __ATOMIC_ACQUIRE) == NULL)
		return ERR_BAD_STATE;
	ring = &rings[cpu];
	written = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE);
	oldest = written <= RING_RECORDS - RING_LATE ? 0 : written - (RING_RECORDS - RING_LATE);
	count = length / sizeof(struct trace_record);
	if (index > written - oldest)
		index = written - oldest;
	if (count > written - oldest - index)
		count = written - oldest - index;
	for (uint64_t done = 0; done < count && err == OK; done++)
		err = copy_to_user((uint8_t __user *)records + done * sizeof(struct trace_record),
			record_at(ring, oldest + index + done), sizeof(struct trace_record));
	if (err == OK)
		*result = count;
	return err;
}
