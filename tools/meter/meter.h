/* SPDX-License-Identifier: BSD-2-Clause */
/* meter.h - a QEMU plugin that looks at stretches of a guest's run: what was executed, which lines were shared, what
 * was stored into a range.
 *
 * The guest says where a stretch begins and ends by executing a no-op of its own (tests/bench/stretch.h). The plugin
 * finds it by its bytes, so that it needs to know neither program nor address. It writes text; __main__.py gives the
 * names.
 *
 * Threads: callbacks run on the thread of their virtual CPU. `code` is interned and never freed. What a mode counts is
 * guarded by meter_lock; outside of stretches no callback takes it. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "qemu_plugin.h"

#define CODE_BYTES_MAX 15 /* of an x86 instruction: Intel SDM volume 3, 2.3.11 of volume 2 */
#define CPUS_MAX 16

/* An instruction: one at this virtual address in this page of the host. The page tells programs apart. */
struct code {
	struct code *next; /* of the same hash */
	uint64_t address;
	uint64_t host;
	uint64_t count; /* [meter_lock] of the mode */
	uint64_t low, high; /* [meter_lock] stores: the range that it has stored to */
	unsigned char bytes[CODE_BYTES_MAX];
	unsigned char size;
};

/* What is looked at. */
struct mode {
	const char *name;
	bool whole;      /* the whole run is one stretch */
	bool binary;     /* its file is not text, and has no lines of meter.c's in it */
	bool (*set)(const char *name, const char *value);              /* an option of its own; false: unknown or bad */
	bool (*start)(void);                                           /* after the options */
	void (*translate)(struct qemu_plugin_insn *insn, struct code *code); /* registers what it wants to be told */
	void (*report)(FILE *out);                                     /* at the end of a stretch; starts anew */
};

extern const struct mode budget_mode, lines_mode, stores_mode, trace_mode;

extern pthread_mutex_t meter_lock;

/* The file; [meter_lock]. */
FILE *meter_out(void);
/* In a stretch? */
bool meter_is_on(void);

/* code.c. NULL: no memory. */
struct code *code_intern(struct qemu_plugin_insn *insn);
void code_each(void (*visit)(struct code *code, void *data), void *data);
/* " ADDRESS PAGE BYTES", in hexadecimal. */
void code_print(FILE *out, const struct code *code);
