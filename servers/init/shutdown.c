/* SPDX-License-Identifier: BSD-2-Clause */
/* shutdown.c - the end: every program that is no service's server goes first, then file systems
 * are unmounted while the console still prints, then the power. Context: the supervising thread,
 * without its lock. */
#include "init/service.h"

#include <lintel/console_client.h>
#include <lintel/fs_client.h>
#include <lintel/info.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>

#include "kit/kit.h"

#define KILL_STATUS_SHUTDOWN 143
#define END_WAIT_NS 2000000000ull /* for programs to end */
#define UNMOUNT_TRIES 50          /* BUSY: sessions of the dead are still being closed */
#define UNMOUNT_PAUSE_NS 40000000ull

static bool is_server_pid(uint32_t pid)
{
	for (uint32_t i = 0; i < supervisor.count; i++) {
		const struct service *s = &supervisor.services[i];
		if (s->is_server && s->process != HANDLE_NONE && s->pid == pid)
			return true;
	}
	return false;
}

/* Kill every program but servers and ourselves; handles on them go to `killed`. Returns their
 * number. */
static uint32_t kill_programs(uint32_t own_pid, handle_t *killed, uint32_t max)
{
	uint32_t count = 0;
	struct info_process info;
	uint64_t written;
	for (uint32_t i = 0; count < max; i++) {
		handle_t process;
		if (lintel_system_info(supervisor.root, INFO_PROCESS, i, &info, sizeof info, &written) != OK)
			break;
		if (info.pid == 0 || info.pid == own_pid || info.state == 2 || is_server_pid(info.pid))
			continue;
		if (lintel_process_open(supervisor.root, info.pid, &process) != OK)
			continue;
		if (lintel_process_kill(process, KILL_STATUS_SHUTDOWN) == OK)
			killed[count++] = process;
		else
			lintel_handle_close(process);
	}
	return count;
}

static void end_programs(void)
{
	handle_t killed[64];
	struct info_process self = { 0 };
	err_t err = lintel_process_info(lintel_process(), &self, sizeof self);
	if (err != OK)
		return; /* killing without knowing who we are would be the end of us */
	uint32_t count = kill_programs(self.pid, killed, ARRAY_LEN(killed));
	uint64_t deadline = lintel_clock_ns() + END_WAIT_NS;
	for (uint32_t i = 0; i < count; i++) {
		int32_t status;
		err = lintel_wait(killed[i], deadline, &status);
		if (err != OK)
			kit_log("a program does not end: %s", lintel_error_sentence(err));
		lintel_handle_close(killed[i]);
	}
}

err_t service_unmount(const char *name, handle_t door)
{
	err_t err = fs_unmount(door);
	for (int i = 0; i < UNMOUNT_TRIES && err == ERR_BUSY; i++) {
		if (lintel_thread_sleep(lintel_clock_ns() + UNMOUNT_PAUSE_NS) != OK)
			break;
		err = fs_unmount(door);
	}
	if (err != OK)
		kit_log("%s does not unmount: %s", name, lintel_error_sentence(err));
	return err;
}

void shutdown_system(uint32_t action, uint32_t code)
{
	handle_t console = HANDLE_NONE;
	end_programs();
	for (uint32_t i = supervisor.count; i-- > 0;) {
		const struct service *s = &supervisor.services[i];
		if (s->manifest.mount[0] && s->state == SERVICE_READY && s->door != HANDLE_NONE &&
			service_unmount(s->manifest.name, s->door) != OK)
			code = code ? code : 1;
	}
	const struct service *s = service_find("console");
	if (s && s->state == SERVICE_READY)
		console = s->door;
	if (console != HANDLE_NONE && console_drain(console) != OK)
		kit_log("the console does not drain");
	err_t err = lintel_system_power(supervisor.root, action, code);
	kit_log("the power stays on: %s", lintel_error_sentence(err));
}
