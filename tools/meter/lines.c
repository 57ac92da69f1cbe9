/* SPDX-License-Identifier: BSD-2-Clause */
/* lines.c - cache lines that one virtual CPU stores to and another one loads or stores, during a stretch:
 *   line PHYSICAL
 *   access CPU load|store COUNT TAKEN ADDRESS PAGE BYTES, a line for each instruction and CPU
 * TAKEN is how often the line came from another CPU by that: a store after which another one's copy is no good, a load
 * of what another one has stored. Caches are taken to be without end, so a line leaves one only because of another CPU.
 * Seen is what instructions do, not what the MMU does by itself (accessed and dirty bits). */
#include <inttypes.h>
#include <stdlib.h>

#include "meter.h"

#define LINE_SHIFT 6
#define BUCKETS (1u << 16)

/* One instruction's accesses of one kind from one CPU to one line. */
struct access {
	struct access *next;
	struct code *code;
	uint64_t count, taken;
	unsigned cpu;
	bool store;
};

struct line {
	struct line *next; /* of the same hash */
	uint64_t number;
	uint32_t loaders, storers; /* bit: CPU */
	uint32_t holders;          /* bit: CPU that has the line as it is now */
	struct access *accesses;
};

static struct line *lines[BUCKETS]; /* [meter_lock] */

static void *allocate(size_t bytes)
{
	void *memory = calloc(1, bytes);
	if (!memory) {
		fprintf(stderr, "meter: out of memory\n");
		exit(1);
	}
	return memory;
}

static struct line *line_of(uint64_t number)
{
	struct line **bucket = &lines[number * 0x9e3779b97f4a7c15u >> 48 & (BUCKETS - 1)], *line;
	for (line = *bucket; line && line->number != number;)
		line = line->next;
	if (!line) {
		line = allocate(sizeof *line);
		line->number = number;
		line->next = *bucket;
		*bucket = line;
	}
	return line;
}

/* Did it come from another CPU? */
static bool line_take(struct line *line, unsigned cpu, bool store)
{
	uint32_t us = 1u << cpu, before = line->holders;
	line->holders = store ? us : before | us;
	return store ? (before & ~us) != 0 : before && !(before & us);
}

/* Found accesses move to the front: the next one is likely to be the same. */
static void line_count(struct line *line, unsigned cpu, bool store, struct code *code)
{
	struct access **link = &line->accesses, *access;
	while ((access = *link) && (access->code != code || access->cpu != cpu || access->store != store))
		link = &access->next;
	if (access) {
		*link = access->next;
	} else {
		access = allocate(sizeof *access);
		access->code = code;
		access->cpu = cpu;
		access->store = store;
	}
	access->next = line->accesses;
	line->accesses = access;
	access->count++;
	access->taken += line_take(line, cpu, store);
	*(store ? &line->storers : &line->loaders) |= 1u << cpu;
}

static void accessed(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	if (!meter_is_on() || cpu >= CPUS_MAX)
		return;
	struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, address);
	if (!where || qemu_plugin_hwaddr_is_io(where))
		return;
	uint64_t at = qemu_plugin_hwaddr_phys_addr(where);
	uint64_t last = at + ((uint64_t)1 << qemu_plugin_mem_size_shift(info)) - 1;
	pthread_mutex_lock(&meter_lock);
	for (uint64_t number = at >> LINE_SHIFT; number <= last >> LINE_SHIFT; number++)
		line_count(line_of(number), cpu, qemu_plugin_mem_is_store(info), data);
	pthread_mutex_unlock(&meter_lock);
}

static void translate(struct qemu_plugin_insn *insn, struct code *code)
{
	qemu_plugin_register_vcpu_mem_cb(insn, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, code);
}

/* Written by one, and read or written by another. */
static bool is_shared(const struct line *line)
{
	uint32_t all = line->loaders | line->storers;
	return line->storers && (all & (all - 1));
}

static void print(FILE *out, const struct line *line)
{
	fprintf(out, "line %" PRIx64 "\n", line->number << LINE_SHIFT);
	for (const struct access *access = line->accesses; access; access = access->next) {
		fprintf(out, "access %u %s %" PRIu64 " %" PRIu64, access->cpu, access->store ? "store" : "load", access->count,
			access->taken);
		code_print(out, access->code);
		fprintf(out, "\n");
	}
}

static void line_free(struct line *line)
{
	while (line->accesses) {
		struct access *access = line->accesses;
		line->accesses = access->next;
		free(access);
	}
	free(line);
}

static void report(FILE *out)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		while (lines[i]) {
			struct line *line = lines[i];
			lines[i] = line->next;
			if (is_shared(line))
				print(out, line);
			line_free(line);
		}
	}
}

const struct mode lines_mode = { .name = "lines", .translate = translate, .report = report };
