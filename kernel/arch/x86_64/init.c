/* SPDX-License-Identifier: GPL-2.0-only */
/* init.c - the boot CPU's bring-up, in the two steps of kernel/arch.h: before memory management, and after. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "mm/kernel_space.h"

void arch_early_init(const struct boot_info *info)
{
	uart_init();
	power_init(info);
	panic_init(info->command_line);
	cpus_expect(info->cpus);
	segments_load(0, info->cpu[0].apic_id, info->cpu[0].node);
	trap_init();
	trap_load();
	features_detect(info->command_line);
	features_load();
	pagetable_set_features(arch_features & CPU_NX, arch_features & CPU_HUGE_PAGES, true);
	__atomic_store_n(&cpus[0].online, true, __ATOMIC_RELEASE);
}

static void features_print(void)
{
	static const struct {
		uint32_t feature;
		const char *name;
	} names[] = {
		{ CPU_NX, "nx" },
		{ CPU_SMEP, "smep" },
		{ CPU_SMAP, "smap" },
		{ CPU_UMIP, "umip" },
		{ CPU_FSGSBASE, "fsgsbase" },
		{ CPU_PCID, "pcid" },
		{ CPU_X2APIC, "x2apic" },
		{ CPU_TSC_DEADLINE, "tsc-deadline" },
		{ CPU_HUGE_PAGES, "1g-pages" },
		{ CPU_XSAVE, "xsave" },
		{ CPU_AVX, "avx" },
		{ CPU_AVX2, "avx2" },
		{ CPU_AVX512, "avx512" },
		{ CPU_ERMS, "erms" },
		{ CPU_CLWB, "clwb" },
		{ CPU_INVARIANT_TSC, "invariant-tsc" },
	};
	char used[160], missing[160];
	size_t used_bytes = 0, missing_bytes = 0;

	used[0] = missing[0] = '\0';
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
		if (arch_features & names[i].feature)
			used_bytes += (size_t)format_text(used + used_bytes, sizeof(used) - used_bytes, " %s", names[i].name);
		else
			missing_bytes += (size_t)format_text(missing + missing_bytes, sizeof(missing) - missing_bytes, " %s",
							     names[i].name);
	}
	log_line("CPU: %s", arch_cpu_name());
	log_line("features used:%s", used);
	log_line("features missing or switched off:%s", missing[0] ? missing : " none");
}

void arch_init(const struct boot_info *info)
{
	features_print();
	(void)arch_load_root(kernel_root()); /* the identity map is gone */
	pic_disable();
	apic_init(info);
	tsc_calibrate(info);
	apic_calibrate();
	ioapic_init(info);
	cmos_read();
	if (!cpu_stacks_make(&cpus[0]))
		panic("no memory for the boot CPU's interrupt stacks");
}

void arch_idle(void)
{
	__asm__ volatile("sti; hlt" : : : "memory"); /* no interrupt comes between the two */
}
