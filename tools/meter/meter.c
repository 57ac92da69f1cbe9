/* SPDX-License-Identifier: BSD-2-Clause */
/* meter.c - the plugin: -plugin meter.so,mode=MODE,out=FILE[,OPTION=VALUE...]; stretches; the file that it writes.
 *   stretch NUMBER
 *   ... lines of the mode
 *   end NUMBER
 * A file whose last line is no `end` was torn. */
#include <stdlib.h>
#include <string.h>

#include "meter.h"

pthread_mutex_t meter_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct mode *const modes[] = { &budget_mode, &lines_mode, &stores_mode, &trace_mode };

static struct {
	const struct mode *mode;
	const char *path;
	FILE *out;         /* [meter_lock] */
	unsigned stretch;  /* [meter_lock] number of the one that is on or was last */
	bool on;           /* [a], changed under meter_lock */
} meter;

/* nopl DISPLACEMENT(%rax,%rax): 0f 1f 84 00, and a displacement that no compiler would pad with. */
#define MARK_BYTES 8
static const unsigned char mark_begin[MARK_BYTES] = { 0x0f, 0x1f, 0x84, 0x00, 0x01, 'S', 'T', 'R' };
static const unsigned char mark_end[MARK_BYTES] = { 0x0f, 0x1f, 0x84, 0x00, 0x02, 'S', 'T', 'R' };

FILE *meter_out(void)
{
	return meter.out;
}

bool meter_is_on(void)
{
	return __atomic_load_n(&meter.on, __ATOMIC_RELAXED);
}

static void stretch_begin(unsigned cpu, void *data)
{
	(void)cpu, (void)data;
	pthread_mutex_lock(&meter_lock);
	if (!meter.on && !meter.mode->binary)
		fprintf(meter.out, "stretch %u\n", ++meter.stretch);
	__atomic_store_n(&meter.on, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&meter_lock);
}

static void stretch_end(unsigned cpu, void *data)
{
	(void)cpu, (void)data;
	pthread_mutex_lock(&meter_lock);
	if (meter.on) {
		__atomic_store_n(&meter.on, false, __ATOMIC_RELAXED);
		meter.mode->report(meter.out);
		if (!meter.mode->binary)
			fprintf(meter.out, "end %u\n", meter.stretch);
		fflush(meter.out);
	}
	pthread_mutex_unlock(&meter_lock);
}

static bool is_mark(const struct code *code, const unsigned char *mark)
{
	return code->size == MARK_BYTES && !memcmp(code->bytes, mark, MARK_BYTES);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	(void)id;
	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		struct code *code = code_intern(insn);
		if (!code) {
			fprintf(stderr, "meter: out of memory\n");
			exit(1);
		}
		if (is_mark(code, mark_begin) && !meter.mode->whole)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, stretch_begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
		else if (is_mark(code, mark_end) && !meter.mode->whole)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, stretch_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
		else
			meter.mode->translate(insn, code);
	}
}

static void finish(qemu_plugin_id_t id, void *data)
{
	(void)id, (void)data;
	if (meter.mode->whole)
		stretch_end(0, NULL);
	fclose(meter.out);
}

static bool take_mode(const char *name)
{
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (!strcmp(modes[i]->name, name))
			meter.mode = modes[i];
	}
	return meter.mode != NULL;
}

/* `mode` comes first, so that it can take the options after it. */
static bool take_option(const char *option)
{
	const char *equals = strchr(option, '=');
	char name[16];
	if (!equals || (size_t)(equals - option) >= sizeof name)
		return false;
	memcpy(name, option, (size_t)(equals - option));
	name[equals - option] = '\0';
	if (!strcmp(name, "mode"))
		return take_mode(equals + 1);
	if (!strcmp(name, "out")) {
		meter.path = strdup(equals + 1);
		return meter.path != NULL;
	}
	return meter.mode && meter.mode->set && meter.mode->set(name, equals + 1);
}

int qemu_plugin_version = QEMU_PLUGIN_API;

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int count, char **options)
{
	(void)info;
	for (int i = 0; i < count; i++) {
		if (!take_option(options[i])) {
			fprintf(stderr, "meter: %s: no such option, or not with this value\n", options[i]);
			return 1;
		}
	}
	if (!meter.mode || !meter.path || (meter.mode->start && !meter.mode->start())) {
		fprintf(stderr, "meter: give mode=budget|lines|stores|trace, out=FILE, for stores and trace base= and bytes=, "
			"for trace memory=\n");
		return 1;
	}
	meter.out = fopen(meter.path, "w");
	if (!meter.out) {
		perror(meter.path);
		return 1;
	}
	if (meter.mode->whole)
		stretch_begin(0, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
