/* SPDX-License-Identifier: BSD-2-Clause */
/* budget.c - how often each instruction of a stretch was executed: "code COUNT ADDRESS PAGE BYTES". */
#include <inttypes.h>

#include "meter.h"

static void executed(unsigned cpu, void *data)
{
	struct code *code = data;
	(void)cpu;
	if (!meter_is_on())
		return;
	pthread_mutex_lock(&meter_lock);
	code->count++;
	pthread_mutex_unlock(&meter_lock);
}

static void translate(struct qemu_plugin_insn *insn, struct code *code)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS, code);
}

static void print(struct code *code, void *out)
{
	if (!code->count)
		return;
	fprintf(out, "code %" PRIu64, code->count);
	code_print(out, code);
	fprintf(out, "\n");
	code->count = 0;
}

static void report(FILE *out)
{
	code_each(print, out);
}

const struct mode budget_mode = { .name = "budget", .translate = translate, .report = report };
