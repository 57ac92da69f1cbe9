/* SPDX-License-Identifier: GPL-2.0-only */
/* info.c - system_info and system_power: what a holder of the SYSTEM resource can see and do. */
#include "kernel/info.h"

#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/log.h"
#include "kernel/resource.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "mm/frame.h"
#include "mm/mm.h"
#include "mm/region.h"
#include "mm/tlb.h"
#include "mm/vmo.h"
#include "mm/zone.h"

/* The largest of the structures that info.h has. */
union info_any {
	struct info_system system;
	struct info_cpu cpu;
	struct info_zone zone;
	struct info_process process;
	struct info_door door;
	struct info_activation activation;
};

static uint32_t boot_path; /* [I] */

void info_init(const struct boot_info *boot)
{
	boot_path = boot->path;
}

static void describe_system(struct info_system *out)
{
	mm_reclaim(); /* so that the page counts are exact */
	out->cpus = cpu_count();
	out->zones = zone_count();
	out->processes = process_count();
	out->threads = thread_count();
	out->features = arch_features;
	out->boot_path = boot_path;
	out->ram_pages = frame_managed_count();
	out->ram_free_pages = frame_free_count();
	out->kernel_pages = frame_kernel_count();
	out->handles = handles_count();
	out->activations = activations_count();
	out->activations_busy = activations_busy();
	out->vmos = vmo_count();
	out->regions = region_count();
	out->uptime_ns = arch_clock_ns();
	out->tsc_hz = arch_tsc_hz();
	out->debug_build = DEBUG_BUILD;
	format_text(out->version, sizeof(out->version), "%s", LINTEL_VERSION);
	format_text(out->cpu_name, sizeof(out->cpu_name), "%s", arch_cpu_name());
}

static err_t describe_cpu(uint32_t index, struct info_cpu *out)
{
	if (index >= cpu_count())
		return ERR_NOT_FOUND;
	const struct cpu *cpu = &cpus[index];
	const struct cpu_counters *counters = &cpu->counters;
	const struct mm_counters *memory = &mm_counters[index];
	struct door_counts doors = door_counts_of(index);

	*out = (struct info_cpu){
		.apic_id = cpu->apic_id,
		.node = cpu->node,
		.idle_ns = counters->idle_ns,
		.system_calls = counters->system_calls,
		.door_calls = doors.arrived,
		.faults = counters->faults,
		.switches = counters->switches,
		.interrupts = counters->interrupts,
		.timer_interrupts = counters->timer_interrupts,
		.ipis_sent = counters->ipis_sent,
		.ipis_received = counters->ipis_received,
		/* each arrival and each departure of the short way loads a root, which nobody else counts */
		.root_switches = counters->root_switches + doors.arrived + doors.left - counters->door_steps_long,
		.pager_calls = counters->pager_calls,
		.tlb_flushes_page = memory->tlb_flushes_page,
		.tlb_flushes_all = memory->tlb_flushes_all,
		.tlb_rounds = memory->tlb_rounds,
		.window_maps = memory->window_maps,
	};
	return OK;
}

static err_t describe(uint32_t topic, uint32_t index, union info_any *out, size_t *bytes)
{
	struct process *process;
	struct zone *zone;

	switch (topic) {
	case INFO_SYSTEM:
		*bytes = sizeof(out->system);
		describe_system(&out->system);
		return index == 0 ? OK : ERR_NOT_FOUND;
	case INFO_CPU:
		*bytes = sizeof(out->cpu);
		return describe_cpu(index, &out->cpu);
	case INFO_ZONE:
		*bytes = sizeof(out->zone);
		zone = zone_get(index);
		if (zone == NULL)
			return ERR_NOT_FOUND;
		zone_info(zone, &out->zone);
		return OK;
	case INFO_PROCESS:
		*bytes = sizeof(out->process);
		process = process_at(index);
		if (process == NULL)
			return ERR_NOT_FOUND;
		process_describe(process, &out->process);
		object_unref(&process->object);
		return OK;
	case INFO_DOOR:
		*bytes = sizeof(out->door);
		return door_describe(index, &out->door);
	case INFO_ACTIVATION:
		*bytes = sizeof(out->activation);
		return door_describe_cpu(index >> 16, index & 0xffff, &out->activation);
	default:
		return ERR_ARGS;
	}
}

/* The resource must be SYSTEM or ROOT, with the right. */
static err_t system_check(handle_t handle, uint32_t right)
{
	struct resource *system;
	err_t err = resource_get(handle, right, RESOURCE_SYSTEM, 0, 0, &system);

	if (err == OK)
		object_unref(&system->object);
	return err;
}

err_t sys_system_info(handle_t resource, uint32_t topic, uint32_t index, void __user *buffer, uint64_t length,
		      uint64_t *result)
{
	union info_any info = { 0 };
	size_t bytes;
	err_t err = system_check(resource, RIGHT_READ);

	if (err == OK)
		err = describe(topic, index, &info, &bytes);
	if (err != OK)
		return err;
	if (length < bytes)
		bytes = length;
	err = copy_to_user(buffer, &info, bytes);
	if (err == OK)
		*result = bytes;
	return err;
}

err_t sys_system_power(handle_t resource, uint32_t action, uint32_t code)
{
	err_t err = system_check(resource, RIGHT_MANAGE);

	if (err != OK)
		return err;
	if (action > 2)
		return ERR_ARGS;
	log_take_back(); /* the last lines come out, whoever was to show them */
	switch (action) {
	case 0:
		arch_power_off();
	case 1:
		arch_restart();
	case 2:
		arch_emulator_exit(code);
	default:
		return ERR_ARGS;
	}
}
