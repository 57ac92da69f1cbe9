/* SPDX-License-Identifier: BSD-2-Clause */
/* banner.c - the first lines on the screen: the machine as the kernel found it. */
#include "shell/lintel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_COLUMNS 78

const char *boot_path_name(uint32_t boot_path)
{
	static const char *const names[] = { "PVH", "Multiboot2 (GRUB)", "UEFI" };
	return boot_path < ARRAY_LEN(names) ? names[boot_path] : "?";
}

static const struct {
	uint32_t bit;
	const char *name;
	bool used; /* the kernel or libc makes use of it: its absence is worth a word */
} features[] = {
	{ CPU_NX, "NX", true },
	{ CPU_SMEP, "SMEP", true },
	{ CPU_SMAP, "SMAP", true },
	{ CPU_UMIP, "UMIP", true },
	{ CPU_FSGSBASE, "FSGSBASE", true },
	{ CPU_PCID, "PCID", true },
	{ CPU_INVPCID, "INVPCID", true },
	{ CPU_X2APIC, "x2APIC", true },
	{ CPU_TSC_DEADLINE, "TSC-deadline", true },
	{ CPU_INVARIANT_TSC, "invariant-TSC", true },
	{ CPU_HUGE_PAGES, "1G-pages", true },
	{ CPU_CLWB, "CLWB", true },
	{ CPU_CLFLUSHOPT, "CLFLUSHOPT", true },
	{ CPU_XSAVE, "XSAVE", true },
	{ CPU_ERMS, "ERMS", true },
};

/* The names of the features that are there (or are not), wrapped under each other. */
static void print_features(struct shell *sh, const char *label, uint32_t present, bool there)
{
	size_t column = 0;
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		if (!(present & features[i].bit) == there || (!there && !features[i].used))
			continue;
		size_t length = strlen(features[i].name) + 1;
		if (column == 0 || column + length > LINE_COLUMNS) {
			output_print(&sh->out, "%s  %-8s", column ? "\n" : "", column ? "" : label);
			column = 10;
		}
		output_print(&sh->out, " %s", features[i].name);
		column += length;
	}
	if (column)
		output_print(&sh->out, "\n");
}

static void print_pmem(struct shell *sh)
{
	struct info_zone z;
	bool any = false;
	for (uint32_t i = 0; system_read(INFO_ZONE, i, &z, sizeof z) == OK; i++) {
		char size[FORMAT_BYTES], cost[FORMAT_BYTES];
		if (z.kind != ZONE_PMEM)
			continue;
		any = true;
		output_print(&sh->out, "  %-8.*s %s of persistent memory at 0x%" PRIx64 ", node %u; metadata %s\n",
		             (int)sizeof z.name, z.name, format_bytes(size, z.bytes), z.base, (unsigned)z.node,
		             format_bytes(cost, z.metadata_bytes));
	}
	if (!any)
		output_print(&sh->out, "  %-8s none found: no NVDIMM (PMEM=256M gives the emulator one)\n", "pmem");
}

void banner_print(struct shell *sh)
{
	struct info_system s;
	char total[FORMAT_BYTES], left[FORMAT_BYTES], kernel[FORMAT_BYTES], uptime[FORMAT_BYTES];
	sh->command = "shell";
	err_t err = system_read(INFO_SYSTEM, 0, &s, sizeof s);
	if (err != OK) {
		shell_complain_lintel(sh, "system information", err);
		return;
	}
	output_print(&sh->out, "\nLintel %.*s%s, started by %s, shell after %s\n", (int)sizeof s.version, s.version,
	             s.debug_build ? " (debug build)" : "", boot_path_name(s.boot_path), format_ns(uptime, s.uptime_ns));
	output_print(&sh->out, "  %-8s %u x %.*s, TSC %u.%02u GHz\n", "CPU", (unsigned)s.cpus, (int)sizeof s.cpu_name,
	             s.cpu_name, (unsigned)(s.tsc_hz / 1000000000), (unsigned)(s.tsc_hz / 10000000 % 100));
	print_features(sh, "with", s.features, true);
	print_features(sh, "without", s.features, false);
	output_print(&sh->out, "  %-8s %s, %s free, %s held by the kernel\n", "RAM",
	             format_bytes(total, s.ram_pages << PAGE_SHIFT), format_bytes(left, s.ram_free_pages << PAGE_SHIFT),
	             format_bytes(kernel, s.kernel_pages << PAGE_SHIFT));
	print_pmem(sh);
	output_flush(&sh->out);
}
