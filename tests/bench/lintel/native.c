/* SPDX-License-Identifier: BSD-2-Clause */
/* native.c - what bench.h asks of the system, for Lintel. */
#include <fcntl.h>
#include <lintel/info.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo.h"

#define PIN_SETTLE_US 2000u

const char *bench_program = "/boot/bin/bench";

const char *native_tiny_program(void)
{
	return bench_program;
}

bool native_child(int argc, char **argv, int *status)
{
	if (argc < 3 || strcmp(argv[1], CHILD_WORD))
		return false;
	*status = strcmp(argv[2], "echo") ? CHILD_STATUS : echo_main();
	return true;
}

void native_use_large_pages(void *memory, size_t bytes, bool large)
{
	(void)!madvise(memory, bytes, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* memfs cannot, and need not. */
void native_reserve(int fd, uint64_t bytes)
{
	(void)!posix_fallocate(fd, 0, (off_t)bytes);
}

unsigned native_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus > 0 ? (unsigned)cpus : 1;
}

/* Another thread goes where it may when it next enters the kernel. */
int native_pin(pthread_t thread, bool pinned)
{
	const cpu_set_t set = { pinned ? 1 : UINT64_MAX };
	int error = pthread_setaffinity_np(thread, sizeof set, &set);
	if (!error && thread != pthread_self())
		usleep(PIN_SETTLE_US);
	return error;
}

/* Without PCIDs each load of a root drops what the TLB holds. */
bool native_costs(struct costs *out)
{
	handle_t system = lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_SYSTEM, 0);
	struct info_system machine;
	struct info_cpu cpu;
	uint64_t bytes;
	if (system == HANDLE_NONE || lintel_system_info(system, INFO_SYSTEM, 0, &machine, sizeof machine, &bytes) != OK)
		return false;
	*out = (struct costs){ 0 };
	for (uint32_t i = 0; i < machine.cpus; i++) {
		if (lintel_system_info(system, INFO_CPU, i, &cpu, sizeof cpu, &bytes) != OK)
			return false;
		out->tlb_flushes += cpu.tlb_flushes_page + cpu.tlb_flushes_all;
		out->root_switches += cpu.root_switches;
		out->ipis += cpu.ipis_sent;
		out->switches += cpu.switches;
	}
	if (!(machine.features & CPU_PCID))
		out->tlb_flushes += out->root_switches;
	return true;
}
