/* SPDX-License-Identifier: GPL-2.0-only */
/* main.c - from the boot path's last jump to the first user instruction. */
#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/event.h"
#include "kernel/futex.h"
#include "kernel/info.h"
#include "kernel/init_load.h"
#include "kernel/interrupt.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "kernel/resource.h"
#include "kernel/sched.h"
#include "kernel/vmo_object.h"
#include "mm/mm.h"

static void boot_log_print(const struct boot_info *info)
{
	char line[128];
	size_t length = 0;

	for (const char *c = info->log; *c != '\0'; c++) {
		if (*c != '\n' && length < sizeof(line) - 1) {
			line[length++] = *c;
			continue;
		}
		line[length] = '\0';
		log_line("boot: %s", line);
		length = 0;
	}
}

static void objects_init(void)
{
	process_init();
	thread_init();
	activation_init();
	door_init();
	call_init();
	vmo_object_init();
	futex_init();
	event_init();
	interrupt_init();
	resource_init();
	log_read_init();
}

/* Every other CPU, on its own idle stack. */
static void cpu_main(void)
{
	sched_init_cpu();
	sched_start();
}

NORETURN void kernel_main(const struct boot_info *info)
{
	arch_early_init(info);
	log_init();
	log_line("Lintel %s", LINTEL_VERSION);
	boot_log_print(info);
	mm_init(info);
	arch_init(info);
	objects_init();
	info_init(info);
	sched_init_cpu();
	arch_start_cpus(info, cpu_main);
	init_load(info);
	sched_start();
}
