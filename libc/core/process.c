/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - what this process was given at its start, and its own identity. */
#include <string.h>
#include <unistd.h>
#include <lintel/info.h>
#include <lintel/process.h>

#include "core/process.h"
#include "core/startup_check.h"
#include "core/sys.h"

static const struct startup_block *startup; /* [I] checked */
static handle_t own_process;                /* [I] */
static handle_t sysinfo_handle;             /* [I] */
static uint32_t own_pid;                    /* [a] 0: not asked yet */

static const struct startup_handle *startup_handles(void)
{
	return (const struct startup_handle *)((const char *)startup + startup->handles_offset);
}

void process_init(const struct startup_block *block)
{
	startup = block;
	for (uint32_t i = 0; i < block->handles; i++) {
		const struct startup_handle *each = &startup_handles()[i];
		if (each->kind == STARTUP_PROCESS)
			own_process = each->handle;
		if (each->kind == STARTUP_SYSINFO)
			sysinfo_handle = each->handle;
	}
}

handle_t lintel_process(void)
{
	return own_process;
}

handle_t process_sysinfo_handle(void)
{
	return sysinfo_handle;
}

const struct sysinfo_page *lintel_sysinfo(void)
{
	const struct sysinfo_page *page = (const struct sysinfo_page *)startup->sysinfo;

	return page != NULL && page->magic == SYSINFO_MAGIC ? page : NULL;
}

handle_t lintel_startup_handle(uint32_t kind, uint32_t argument, uint32_t index)
{
	if (kind == STARTUP_FD || kind == STARTUP_MOUNT || kind == STARTUP_SYSINFO)
		return HANDLE_NONE;
	for (uint32_t i = 0; i < startup->handles; i++) {
		const struct startup_handle *each = &startup_handles()[i];
		if (each->kind != kind || (argument != STARTUP_ANY && each->argument != argument))
			continue;
		if (index-- == 0)
			return each->handle;
	}
	return HANDLE_NONE;
}

handle_t lintel_startup_named(uint32_t kind, const char *name)
{
	if (kind != STARTUP_SERVICE && kind != STARTUP_SERVE)
		return HANDLE_NONE;
	for (uint32_t i = 0; i < startup->handles; i++) {
		const struct startup_handle *each = &startup_handles()[i];
		if (each->kind == kind && strcmp(startup_string(startup, startup->names_offset, each->argument), name) == 0)
			return each->handle;
	}
	return HANDLE_NONE;
}

static err_t own_info(struct info_process *info)
{
	return lintel_process_info(own_process, info, sizeof(*info));
}

pid_t getpid(void)
{
	struct info_process info;
	uint32_t pid = __atomic_load_n(&own_pid, __ATOMIC_RELAXED);

	if (pid == 0 && own_info(&info) == OK) {
		pid = info.pid;
		__atomic_store_n(&own_pid, pid, __ATOMIC_RELAXED);
	}
	return (pid_t)pid;
}

pid_t getppid(void)
{
	struct info_process info;

	return own_info(&info) == OK ? (pid_t)info.parent_pid : 0;
}

void (*process_last_act)(void);

void _exit(int status)
{
	void (*last_act)(void) = __atomic_exchange_n(&process_last_act, NULL, __ATOMIC_ACQ_REL);

	if (last_act != NULL)
		last_act();
	drop(lintel_process_exit(status));
	__builtin_trap();
}
