/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c - switching the kernel's rings of events on and off, and printing them: one event a line, with names where
 * numbers have some. tools/trace.py reads these lines.
 *   @process PID NAME
 *   @ CPU NANOSECONDS THREAD PROCESS KIND DETAIL VALUE [NAME] */
#include "shell/lintel.h"

#include <inttypes.h>
#include <lintel/names.h>
#include <lintel/syscalls.h>
#include <lintel/trace.h>
#include <string.h>

static const char *const kind_names[TRACE_KINDS] = {
	[TRACE_SYSCALL] = "syscall",
	[TRACE_SYSCALL_END] = "syscall_end",
	[TRACE_DOOR] = "door",
	[TRACE_DOOR_END] = "door_end",
	[TRACE_FAULT] = "fault",
	[TRACE_FAULT_END] = "fault_end",
	[TRACE_SWITCH] = "switch",
	[TRACE_INTERRUPT] = "interrupt",
	[TRACE_INTERRUPT_END] = "interrupt_end",
	[TRACE_EXCEPTION] = "exception",
};

/* What the event is about, in a word without blanks. */
static const char *event_name(const struct trace_record *r)
{
	switch (r->kind) {
	case TRACE_SYSCALL:
		if (r->detail == SYSCALL_door_call)
			return lintel_message_name(r->value);
		return lintel_syscall_name(r->detail);
	case TRACE_DOOR:
		return lintel_message_name(r->value);
	case TRACE_SYSCALL_END:
	case TRACE_DOOR_END:
	case TRACE_FAULT_END:
		return (int64_t)r->value <= 0 ? lintel_error_name((err_t)r->value) : "";
	default:
		return "";
	}
}

static void print_processes(struct shell *sh)
{
	struct info_process p;
	for (uint32_t i = 0; system_read(INFO_PROCESS, i, &p, sizeof p) == OK; i++)
		output_print(&sh->out, "@process %" PRIu32 " %.*s\n", p.pid, (int)sizeof p.name, p.name);
}

static void print_event(struct shell *sh, uint32_t cpu, const struct trace_record *r)
{
	if (r->kind == TRACE_PROCESS) {
		char name[sizeof r->value + 1] = { 0 };
		memcpy(name, &r->value, sizeof r->value);
		output_print(&sh->out, "@process %" PRIu32 " %s\n", r->detail, name);
		return;
	}
	if (r->kind >= TRACE_KINDS || !kind_names[r->kind])
		return;
	bool call = r->kind == TRACE_SYSCALL || r->kind == TRACE_SYSCALL_END;
	const char *detail = call ? lintel_syscall_name(r->detail) : NULL;
	output_print(&sh->out, "@ %" PRIu32 " %" PRIu64 " %" PRIu32 " %" PRIu32 " %s ", cpu, r->time_ns, r->thread,
		r->process, kind_names[r->kind]);
	if (detail)
		output_print(&sh->out, "%s", detail);
	else
		output_print(&sh->out, "%" PRIu32, r->detail);
	output_print(&sh->out, " 0x%" PRIx64 " %s\n", r->value, event_name(r));
}

static int dump(struct shell *sh)
{
	static struct trace_record records[TRACE_READ_MAX];
	struct info_system s;
	err_t err = system_read(INFO_SYSTEM, 0, &s, sizeof s);
	for (uint32_t cpu = 0; err == OK && cpu < s.cpus; cpu++) {
		uint64_t count = 0;
		for (uint64_t index = 0;; index += count) {
			err = lintel_trace_read(system_resource(), cpu, index, records, sizeof records, &count);
			if (err != OK || !count)
				break;
			for (uint64_t i = 0; i < count; i++)
				print_event(sh, cpu, &records[i]);
		}
	}
	print_processes(sh); /* after the short names of those that started meanwhile */
	return err == OK ? 0 : shell_complain_lintel(sh, "trace", err);
}

int command_trace(struct shell *sh, int argc, char **argv)
{
	if (argc != 2)
		return shell_usage(sh);
	if (!strcmp(argv[1], "dump"))
		return dump(sh);
	bool on = !strcmp(argv[1], "on");
	if (!on && strcmp(argv[1], "off"))
		return shell_usage(sh);
	err_t err = lintel_trace_control(system_resource(), on);
	return err == OK ? 0 : shell_complain_lintel(sh, argv[1], err);
}
