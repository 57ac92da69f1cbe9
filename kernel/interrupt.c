/* SPDX-License-Identifier: GPL-2.0-only */
/* interrupt.c - interrupt objects.
 *
 * I1  lines[gsi].interrupt is the one object that has claimed the line, from creation until destruction.
 * I2  Destruction takes it out and then waits until no handler is busy with the line, so a handler needs no reference.
 *
 * Whoever holds the interrupt of the log's UART drives the UART: the log goes into the ring only (log.h). */
#include "kernel/interrupt.h"

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/resource.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "mm/pool.h"

#define INTERRUPT_RIGHTS (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT | RIGHT_MANAGE)
#define LINE_FLAGS_ALL (ARCH_LINE_LEVEL | ARCH_LINE_LOW | ARCH_LINE_FIRMWARE)

static struct pool interrupt_pool;
static struct {
	struct interrupt *interrupt; /* [a] */
	uint32_t busy;               /* [a] handlers that look at it */
} lines[INTERRUPT_LINES];

void interrupt_init(void)
{
	pool_init(&interrupt_pool, "interrupt", sizeof(struct interrupt));
}

void interrupt_arrived(uint32_t gsi)
{
	struct interrupt *interrupt;

	if (gsi >= INTERRUPT_LINES)
		return;
	__atomic_add_fetch(&lines[gsi].busy, 1, __ATOMIC_SEQ_CST);
	interrupt = __atomic_load_n(&lines[gsi].interrupt, __ATOMIC_SEQ_CST);
	if (interrupt != NULL)
		object_signal(&interrupt->object, 0, SIGNAL_INTERRUPT);
	__atomic_sub_fetch(&lines[gsi].busy, 1, __ATOMIC_SEQ_CST);
}

static void interrupt_destroy(struct object *object)
{
	struct interrupt *interrupt = container_of(object, struct interrupt, object);
	uint32_t gsi = interrupt->gsi;

	arch_line_mask(gsi, true);
	__atomic_store_n(&lines[gsi].interrupt, NULL, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&lines[gsi].busy, __ATOMIC_SEQ_CST) != 0)
		arch_pause();
	arch_line_release(gsi);
	if (arch_line_is_log(gsi))
		log_take_back();
	pool_free(&interrupt_pool, interrupt);
}

const struct object_class interrupt_class = {
	.type = OBJECT_INTERRUPT,
	.rights = INTERRUPT_RIGHTS,
	.destroy = interrupt_destroy,
};

static err_t interrupt_create(uint32_t gsi, uint32_t flags, struct interrupt **out)
{
	struct interrupt *interrupt = pool_alloc(&interrupt_pool);
	err_t err;

	if (interrupt == NULL)
		return ERR_NO_MEMORY;
	err = arch_line_claim(gsi, flags);
	if (err != OK) {
		pool_free(&interrupt_pool, interrupt);
		return err;
	}
	object_init(&interrupt->object, &interrupt_class);
	interrupt->gsi = gsi;
	if (arch_line_is_log(gsi))
		log_hand_over(process_here()->pid);
	__atomic_store_n(&lines[gsi].interrupt, interrupt, __ATOMIC_SEQ_CST);
	*out = interrupt;
	return OK;
}

err_t sys_interrupt_create(handle_t handle, uint32_t gsi, uint32_t flags, uint64_t *result)
{
	struct resource *resource;
	struct interrupt *interrupt;
	handle_t made;
	err_t err;

	if (gsi >= INTERRUPT_LINES || (flags & ~LINE_FLAGS_ALL))
		return ERR_ARGS;
	err = resource_get(handle, RIGHT_MANAGE, RESOURCE_IRQ, gsi, 1, &resource);
	if (err != OK)
		return err;
	object_unref(&resource->object);
	err = interrupt_create(gsi, flags, &interrupt);
	if (err != OK)
		return err;
	err = handle_add(&process_here()->handles, &interrupt->object, INTERRUPT_RIGHTS, &made);
	if (err == OK) {
		arch_line_mask(gsi, false);
		*result = made;
	}
	object_unref(&interrupt->object);
	return err;
}

err_t sys_interrupt_acknowledge(handle_t handle)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_INTERRUPT, RIGHT_MANAGE, &object);

	if (err != OK)
		return err;
	object_signal(object, SIGNAL_INTERRUPT, 0); /* before the line can come again */
	arch_line_mask(container_of(object, struct interrupt, object)->gsi, false);
	object_unref(object);
	return OK;
}
