/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks.c - comparing what the system has in use before and after a program.
 * Free pages go down for two reasons: something was lost, or a process that lives on (a server, this shell) has grown,
 * which its own count of pages tells. The difference of the two is what nobody answers for. */
#include "shell/leaks.h"

#include <inttypes.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <string.h>

#include "shell/lintel.h"

#define PAUSE_NS 20000000ull
#define PATIENCE_NS 2000000000ull

/* In the order of the message. */
static const struct {
	const char *one, *many;
	size_t offset;
	bool wide; /* 64 bits */
} kinds[] = {
	{ "handle", "handles", offsetof(struct info_system, handles), true },
	{ "activation", "activations", offsetof(struct info_system, activations), true },
	{ "busy activation", "busy activations", offsetof(struct info_system, activations_busy), true },
	{ "VMO", "VMOs", offsetof(struct info_system, vmos), true },
	{ "process", "processes", offsetof(struct info_system, processes), false },
	{ "thread", "threads", offsetof(struct info_system, threads), false },
};

static uint64_t count_of(const struct leaks *look, size_t kind)
{
	const char *at = (const char *)&look->system + kinds[kind].offset;
	uint64_t wide;
	uint32_t narrow;

	if (kinds[kind].wide) {
		memcpy(&wide, at, sizeof wide);
		return wide;
	}
	memcpy(&narrow, at, sizeof narrow);
	return narrow;
}

static err_t look_around(struct leaks *out)
{
	err_t err = OK;

	for (out->processes = 0; out->processes < LEAKS_PROCESSES_MAX; out->processes++) {
		err = system_read(INFO_PROCESS, out->processes, &out->process[out->processes], sizeof out->process[0]);
		if (err != OK)
			break;
	}
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	return system_read(INFO_SYSTEM, 0, &out->system, sizeof out->system);
}

/* The same process in another look, or NULL. */
static const struct info_process *find(const struct leaks *look, uint32_t pid)
{
	for (uint32_t i = 0; i < look->processes; i++) {
		if (look->process[i].pid == pid)
			return &look->process[i];
	}
	return NULL;
}

/* Pages that are gone and that nobody who lived before and lives now has come to use. */
static int64_t pages_missing(const struct leaks *before, const struct leaks *after)
{
	int64_t missing = (int64_t)(before->system.ram_free_pages - after->system.ram_free_pages);

	for (uint32_t i = 0; i < before->processes; i++) {
		const struct info_process *now = find(after, before->process[i].pid);
		if (now)
			missing -= (int64_t)(now->memory_pages - before->process[i].memory_pages);
	}
	return missing;
}

static bool something_is_missing(const struct leaks *before, const struct leaks *after)
{
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		if (count_of(after, kind) > count_of(before, kind))
			return true;
	}
	return pages_missing(before, after) > 0;
}

static bool pause_until(uint64_t end)
{
	uint64_t now = lintel_clock_ns();

	return now < end && lintel_thread_sleep(now + PAUSE_NS) == OK;
}

err_t leaks_begin(struct leaks *before)
{
	static struct leaks next;
	uint64_t end = lintel_clock_ns() + PATIENCE_NS;
	err_t err = look_around(before);

	while (err == OK && pause_until(end)) {
		err = look_around(&next);
		bool settled = !something_is_missing(before, &next) && !something_is_missing(&next, before);
		*before = next;
		if (settled)
			break;
	}
	return err;
}

static void tell(char *text, size_t bytes, int64_t count, const char *one, const char *many)
{
	size_t at = strlen(text);

	snprintf(text + at, bytes - at, "%s%" PRId64 " %s", at ? ", " : "", count, count == 1 ? one : many);
}

/* Whose handles and threads have become more, and who is new. */
static void tell_who(struct shell *sh, const struct leaks *before, const struct leaks *after)
{
	for (uint32_t i = 0; i < after->processes; i++) {
		const struct info_process *now = &after->process[i];
		const struct info_process *then = find(before, now->pid);
		if (!then)
			output_print(&sh->out, "  %.31s[%" PRIu32 "] is still there\n", now->name, now->pid);
		else if (now->handles > then->handles || now->threads > then->threads)
			output_print(&sh->out, "  %.31s[%" PRIu32 "] has %d handles and %d threads more\n", now->name, now->pid,
				     (int)(now->handles - then->handles), (int)(now->threads - then->threads));
	}
}

int leaks_end(struct shell *sh, const struct leaks *before, const char *name)
{
	static struct leaks after;
	uint64_t end = lintel_clock_ns() + PATIENCE_NS;
	char text[256] = "";
	int leaks = 0;
	err_t err;

	do
		err = look_around(&after);
	while (err == OK && something_is_missing(before, &after) && pause_until(end));
	if (err != OK)
		return shell_complain_lintel(sh, "system information", err);
	if (pages_missing(before, &after) > 0) {
		tell(text, sizeof text, pages_missing(before, &after), "page", "pages");
		leaks++;
	}
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		int64_t more = (int64_t)(count_of(&after, kind) - count_of(before, kind));
		if (more > 0) {
			tell(text, sizeof text, more, kinds[kind].one, kinds[kind].many);
			leaks++;
		}
	}
	if (leaks) {
		output_print(&sh->out, "not ok %s: leaks %s\n", name, text);
		tell_who(sh, before, &after);
	} else {
		output_print(&sh->out, "ok %s leaves nothing behind\n", name);
	}
	return leaks;
}
