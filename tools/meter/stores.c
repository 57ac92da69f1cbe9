/* SPDX-License-Identifier: BSD-2-Clause */
/* stores.c - who stores into a range of RAM, during the whole run: "store COUNT LOW HIGH ADDRESS PAGE BYTES", a line
 * for each instruction that did; what it stored to lies in [LOW, HIGH), from the base on.
 * base= and bytes= are of QEMU's list of RAM blocks (qemu_plugin_hwaddr_phys_addr). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "meter.h"

static uint64_t base, bytes;

static bool set(const char *name, const char *value)
{
	char *end;
	uint64_t number = strtoull(value, &end, 0);
	if (*end || end == value)
		return false;
	if (!strcmp(name, "base"))
		base = number;
	else if (!strcmp(name, "bytes"))
		bytes = number;
	else
		return false;
	return true;
}

static bool start(void)
{
	return bytes != 0;
}

static void stored(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	struct code *code = data;
	struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, address);
	(void)cpu;
	if (!qemu_plugin_mem_is_store(info) || !where || qemu_plugin_hwaddr_is_io(where)) /* loads come, too */
		return;
	uint64_t at = qemu_plugin_hwaddr_phys_addr(where) - base;
	if (at >= bytes)
		return;
	uint64_t end = at + ((uint64_t)1 << qemu_plugin_mem_size_shift(info));
	pthread_mutex_lock(&meter_lock);
	code->count++;
	code->low = at < code->low ? at : code->low;
	code->high = end > code->high ? end : code->high;
	pthread_mutex_unlock(&meter_lock);
}

static void translate(struct qemu_plugin_insn *insn, struct code *code)
{
	qemu_plugin_register_vcpu_mem_cb(insn, stored, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, code);
}

static void print(struct code *code, void *out)
{
	if (!code->count)
		return;
	fprintf(out, "store %" PRIu64 " %" PRIx64 " %" PRIx64, code->count, code->low, code->high);
	code_print(out, code);
	fprintf(out, "\n");
}

static void report(FILE *out)
{
	code_each(print, out);
}

const struct mode stores_mode = {
	.name = "stores", .whole = true, .set = set, .start = start, .translate = translate, .report = report
};
