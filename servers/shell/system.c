/* SPDX-License-Identifier: BSD-2-Clause */
/* system.c - the kernel's figures as tables: ps, kill, free, zones, doors, counters. */
#include "shell/lintel.h"

#include <inttypes.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILL_STATUS 137
#define COUNTER_CPUS_MAX 8 /* columns of one table */

handle_t system_resource(void)
{
	return lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_SYSTEM, 0);
}

err_t system_read(enum info_topic topic, uint32_t index, void *buffer, size_t bytes)
{
	uint64_t written;
	memset(buffer, 0, bytes);
	return lintel_system_info(system_resource(), topic, index, buffer, bytes, &written);
}

int shell_complain_lintel(struct shell *sh, const char *what, err_t err)
{
	return shell_refuse(sh, "%s: %s", what, lintel_error_sentence(err));
}

/* The end of a loop over indices: NOT_FOUND is how lists end. */
static int list_end(struct shell *sh, struct table *t, err_t err)
{
	table_print(t, &sh->out, NULL);
	return err == ERR_NOT_FOUND ? 0 : shell_complain_lintel(sh, "system information", err);
}

static const char *pages_text(char text[FORMAT_BYTES], uint64_t pages)
{
	if (pages >= UINT64_MAX >> PAGE_SHIFT || !pages)
		return "-";
	return format_bytes(text, pages << PAGE_SHIFT);
}

int command_ps(struct shell *sh, int argc, char **argv)
{
	static const char *const states[] = { "running", "ending", "ended" };
	struct info_process p;
	struct table t;
	err_t err;
	(void)argv;
	if (argc != 1)
		return shell_usage(sh);
	table_start(&t, 0x7f, "pid|parent|threads|handles|memory|ceiling|cpu|state|name");
	for (uint32_t i = 0; (err = system_read(INFO_PROCESS, i, &p, sizeof p)) == OK; i++) {
		char text[FORMAT_BYTES];
		table_row(&t);
		table_cell(&t, 0, "%" PRIu32, p.pid);
		table_cell(&t, 1, "%" PRIu32, p.parent_pid);
		table_cell(&t, 2, "%" PRIu32, p.threads);
		table_cell(&t, 3, "%" PRIu32, p.handles);
		table_cell(&t, 4, "%s", format_bytes(text, p.memory_pages << PAGE_SHIFT));
		table_cell(&t, 5, "%s", pages_text(text, p.memory_limit_pages));
		table_cell(&t, 6, "%s", format_ns(text, p.cpu_ns));
		table_cell(&t, 7, "%s", p.state < ARRAY_LEN(states) ? states[p.state] : "?");
		table_cell(&t, 8, "%.*s", (int)sizeof p.name, p.name);
	}
	return list_end(sh, &t, err);
}

int command_kill(struct shell *sh, int argc, char **argv)
{
	if (argc < 2)
		return shell_usage(sh);
	int status = 0;
	for (int i = 1; i < argc; i++) {
		char *end;
		unsigned long pid = strtoul(argv[i], &end, 10);
		handle_t process;
		if (*end || end == argv[i] || pid > UINT32_MAX)
			return shell_usage(sh);
		err_t err = lintel_process_open(system_resource(), (uint32_t)pid, &process);
		if (err == OK) {
			err = lintel_process_kill(process, KILL_STATUS);
			lintel_handle_close(process);
		}
		if (err != OK)
			status = shell_complain_lintel(sh, argv[i], err);
	}
	return status;
}

int command_free(struct shell *sh, int argc, char **argv)
{
	struct info_system s;
	(void)argv;
	if (argc != 1)
		return shell_usage(sh);
	err_t err = system_read(INFO_SYSTEM, 0, &s, sizeof s);
	if (err != OK)
		return shell_complain_lintel(sh, "system information", err);
	char total[FORMAT_BYTES], used[FORMAT_BYTES], left[FORMAT_BYTES], kernel[FORMAT_BYTES];
	output_print(&sh->out, "RAM      %s: %s used, %s free\n", format_bytes(total, s.ram_pages << PAGE_SHIFT),
	             format_bytes(used, (s.ram_pages - s.ram_free_pages) << PAGE_SHIFT),
	             format_bytes(left, s.ram_free_pages << PAGE_SHIFT));
	output_print(&sh->out, "kernel   %s of that, for its image, tables, stacks and pools\n",
	             format_bytes(kernel, s.kernel_pages << PAGE_SHIFT));
	output_print(&sh->out, "objects  %" PRIu32 " processes, %" PRIu32 " threads, %" PRIu64 " handles, %" PRIu64
	                       " VMOs, %" PRIu64 " regions\n",
	             s.processes, s.threads, s.handles, s.vmos, s.regions);
	output_print(&sh->out, "doors    %" PRIu64 " activations donated, %" PRIu64 " busy\n", s.activations,
	             s.activations_busy);
	return 0;
}

static const char *zone_kind_name(uint32_t kind)
{
	static const char *const names[] = { "RAM", "PMEM", "DEVICE_COHERENT", "DEVICE_PRIVATE", "P2P" };
	return kind < ARRAY_LEN(names) ? names[kind] : "?";
}

int command_zones(struct shell *sh, int argc, char **argv)
{
	struct info_zone z;
	struct table t;
	err_t err;
	(void)argv;
	if (argc != 1)
		return shell_usage(sh);
	table_start(&t, 0xfc, "zone|kind|node|base|size|used|extents|split|metadata|per GiB");
	for (uint32_t i = 0; (err = system_read(INFO_ZONE, i, &z, sizeof z)) == OK; i++) {
		char text[FORMAT_BYTES];
		unsigned __int128 per_gib = z.bytes ? ((unsigned __int128)z.metadata_bytes << 30) / z.bytes : 0;
		table_row(&t);
		table_cell(&t, 0, "%.*s", (int)sizeof z.name, z.name);
		table_cell(&t, 1, "%s", zone_kind_name(z.kind));
		table_cell(&t, 2, "%" PRIu32, z.node);
		table_cell(&t, 3, "0x%" PRIx64, z.base);
		table_cell(&t, 4, "%s", format_bytes(text, z.bytes));
		table_cell(&t, 5, "%s", format_bytes(text, z.used_pages << PAGE_SHIFT));
		table_cell(&t, 6, "%s", format_count(text, z.extents));
		table_cell(&t, 7, "%s", format_count(text, z.extents_split));
		table_cell(&t, 8, "%s", format_bytes(text, z.metadata_bytes));
		table_cell(&t, 9, "%s", format_bytes(text, (uint64_t)per_gib));
	}
	return list_end(sh, &t, err);
}

static void door_cpu_rows(struct table *t, uint32_t door, uint32_t cpus)
{
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		struct info_activation a;
		char text[FORMAT_BYTES];
		if (system_read(INFO_ACTIVATION, door << 16 | cpu, &a, sizeof a) != OK)
			continue;
		table_row(t);
		table_cell(t, 0, "  CPU %" PRIu32, cpu);
		table_cell(t, 2, "%s", format_count(text, a.calls));
		table_cell(t, 4, "%" PRIu32, a.activations);
		table_cell(t, 5, "%" PRIu32, a.activations_busy);
		table_cell(t, 6, "%" PRIu32, a.waiting);
	}
}

int command_doors(struct shell *sh, int argc, char **argv)
{
	struct info_system s;
	struct info_door d;
	struct table t;
	int options = shell_options(sh, &argc, &argv, "s");
	if (options < 0 || argc != 1)
		return options < 0 ? 2 : shell_usage(sh);
	err_t err = system_read(INFO_SYSTEM, 0, &s, sizeof s);
	if (err != OK)
		return shell_complain_lintel(sh, "system information", err);
	table_start(&t, 0x7e, "door|server|calls|badges|activations|busy|waiting");
	for (uint32_t i = 0; (err = system_read(INFO_DOOR, i, &d, sizeof d)) == OK; i++) {
		char text[FORMAT_BYTES];
		table_row(&t);
		table_cell(&t, 0, "%.*s", (int)sizeof d.name, d.name);
		table_cell(&t, 1, "%" PRIu32, d.server_pid);
		table_cell(&t, 2, "%s", format_count(text, d.calls));
		table_cell(&t, 3, "%" PRIu32, d.badges);
		table_cell(&t, 4, "%" PRIu32, d.activations);
		table_cell(&t, 5, "%" PRIu32, d.activations_busy);
		table_cell(&t, 6, "%" PRIu32, d.waiting);
		if (!(options & 1))
			door_cpu_rows(&t, i, s.cpus);
	}
	return list_end(sh, &t, err);
}

static const struct {
	const char *name;
	size_t offset;
} counter_rows[] = {
	{ "system calls", offsetof(struct info_cpu, system_calls) },
	{ "door calls", offsetof(struct info_cpu, door_calls) },
	{ "page faults", offsetof(struct info_cpu, faults) },
	{ "pager calls", offsetof(struct info_cpu, pager_calls) },
	{ "thread switches", offsetof(struct info_cpu, switches) },
	{ "root switches", offsetof(struct info_cpu, root_switches) },
	{ "window pages mapped", offsetof(struct info_cpu, window_maps) },
	{ "interrupts", offsetof(struct info_cpu, interrupts) },
	{ "timer interrupts", offsetof(struct info_cpu, timer_interrupts) },
	{ "IPIs sent", offsetof(struct info_cpu, ipis_sent) },
	{ "IPIs received", offsetof(struct info_cpu, ipis_received) },
	{ "TLB flushes, one page", offsetof(struct info_cpu, tlb_flushes_page) },
	{ "TLB flushes, all", offsetof(struct info_cpu, tlb_flushes_all) },
	{ "TLB rounds started", offsetof(struct info_cpu, tlb_rounds) },
};

static void counter_table(struct shell *sh, const struct info_cpu *cpus, uint32_t first, uint32_t count)
{
	struct table t;
	char header[16 + COUNTER_CPUS_MAX * 12] = "counter", text[FORMAT_BYTES];
	for (uint32_t c = 0; c < count; c++) {
		snprintf(text, sizeof text, "|CPU %" PRIu32, first + c);
		strcat(header, text);
	}
	table_start(&t, 0x1fe, header);
	for (size_t row = 0; row < ARRAY_LEN(counter_rows); row++) {
		table_row(&t);
		table_cell(&t, 0, "%s", counter_rows[row].name);
		for (uint32_t c = 0; c < count; c++) {
			uint64_t value;
			memcpy(&value, (const char *)&cpus[c] + counter_rows[row].offset, sizeof value);
			table_cell(&t, c + 1, "%s", format_count(text, value));
		}
	}
	table_row(&t);
	table_cell(&t, 0, "idle");
	for (uint32_t c = 0; c < count; c++)
		table_cell(&t, c + 1, "%s", format_ns(text, cpus[c].idle_ns));
	table_print(&t, &sh->out, NULL);
}

int command_counters(struct shell *sh, int argc, char **argv)
{
	struct info_cpu cpus[COUNTER_CPUS_MAX];
	(void)argv;
	if (argc != 1)
		return shell_usage(sh);
	err_t err = OK;
	for (uint32_t first = 0; err == OK;) {
		uint32_t count = 0;
		while (count < COUNTER_CPUS_MAX && err == OK) {
			err = system_read(INFO_CPU, first + count, &cpus[count], sizeof cpus[count]);
			count += err == OK;
		}
		if (count)
			counter_table(sh, cpus, first, count);
		first += count;
	}
	return err == ERR_NOT_FOUND ? 0 : shell_complain_lintel(sh, "system information", err);
}
