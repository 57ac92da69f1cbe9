/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - the first process: collect what the kernel gave, load the manifests, serve the door,
 * supervise. */
#include "init/service.h"

#include <inttypes.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>

#include "kit/kit.h"

#define SETTLE_NS 60000000000ull /* `start = last` waits so long for services that never say they are ready */

struct supervisor supervisor = { .lock = PTHREAD_MUTEX_INITIALIZER, .buried = PTHREAD_COND_INITIALIZER };

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* %xx becomes its byte, in place; anything else stays, and so does %00. */
static void percent_decode(char *text)
{
	char *out = text;
	while (*text) {
		int high = *text == '%' ? hex_value(text[1]) : -1;
		int low = high >= 0 ? hex_value(text[2]) : -1;
		if (low >= 0 && (high || low)) {
			*out++ = (char)(high << 4 | low);
			text += 3;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

/* `begin`: when the first program began, in ticks of the TSC, which counts from power-on; told to who asks for it. */
static void read_command_line(int argc, char **argv, uint64_t begin)
{
	static const char key[] = "script=";
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "tell-begin"))
			kit_log("first user instruction at TSC %" PRIu64, begin);
		if (strncmp(argv[i], key, strlen(key)))
			continue;
		percent_decode(argv[i]);
		supervisor.script = argv[i] + strlen(key);
	}
}

static err_t collect(const char **what)
{
	void *image;
	*what = "the root resource";
	supervisor.root = lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_ROOT, 0);
	if (supervisor.root == HANDLE_NONE)
		return ERR_NOT_FOUND;
	*what = "the boot archive";
	supervisor.archive = lintel_startup_handle(STARTUP_ARCHIVE, STARTUP_ANY, 0);
	if (supervisor.archive == HANDLE_NONE)
		return ERR_NOT_FOUND;
	err_t err = kit_map_vmo(supervisor.archive, SPACE_READ, &image, &supervisor.image_bytes);
	if (err != OK)
		return err;
	supervisor.image = image;
	*what = "the wake event";
	return lintel_event_create(&supervisor.wake);
}

int main(int argc, char **argv)
{
	const char *what;
	const uint64_t begin = __builtin_ia32_rdtsc();
	read_command_line(argc, argv, begin);
	err_t err = collect(&what);
	if (err == OK) {
		what = "the door";
		err = init_door_serve(); /* nobody can call it yet: it only has a name for the log now */
	}
	if (err != OK) {
		kit_log("cannot start: %s: %s", what, lintel_error_sentence(err));
		return 1;
	}
	services_load();
	supervisor.settle_ns = lintel_clock_ns() + SETTLE_NS;
	supervise();
}
