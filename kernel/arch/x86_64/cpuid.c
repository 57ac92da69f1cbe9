/* SPDX-License-Identifier: GPL-2.0-only */
/* cpuid.c - what the processor can do, less what the command line forbids (nosmap nosmep nopcid nofsgsbase nox2apic
 * noavx), or has it pretend (pretendpcid: the code for PCIDs, on a CPU that flushes at each load), and the control
 * registers that follow from it. The boot CPU decides; every other CPU is set up alike.
 * Bits: Intel SDM volume 2, CPUID; volume 3, 2.5. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/patch.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/command_line.h"
#include "mm/pagetable.h"

uint32_t arch_features;
static char cpu_name[64];

_Static_assert(FEATURE_SMAP == CPU_SMAP && FEATURE_FSGSBASE == CPU_FSGSBASE && FEATURE_ERMS == CPU_ERMS, "layout.h");
_Static_assert(USER_LIMIT == USER_END, "layout.h");

void syscall_entry(void);      /* entry.S */
void syscall_entry_fast(void);      /* call_fast.S */
void syscall_entry_fast_pcid(void); /* call_fast_pcid.S */

static uint32_t feature_if(bool there, uint32_t feature)
{
	return there ? feature : 0;
}

static uint32_t features_basic(void)
{
	struct cpuid id = cpuid_read(1, 0);

	return feature_if(id.ecx & 1u << 17, CPU_PCID) | feature_if(id.ecx & 1u << 21, CPU_X2APIC) |
	       feature_if(id.ecx & 1u << 24, CPU_TSC_DEADLINE) | feature_if(id.ecx & 1u << 26, CPU_XSAVE) |
	       feature_if(id.ecx & 1u << 28, CPU_AVX);
}

static uint32_t features_extended(void)
{
	struct cpuid id = cpuid_read(7, 0);

	return feature_if(id.ebx & 1u << 0, CPU_FSGSBASE) | feature_if(id.ebx & 1u << 5, CPU_AVX2) |
	       feature_if(id.ebx & 1u << 7, CPU_SMEP) | feature_if(id.ebx & 1u << 9, CPU_ERMS) |
	       feature_if(id.ebx & 1u << 10, CPU_INVPCID) | feature_if(id.ebx & 1u << 16, CPU_AVX512) |
	       feature_if(id.ebx & 1u << 20, CPU_SMAP) | feature_if(id.ebx & 1u << 23, CPU_CLFLUSHOPT) |
	       feature_if(id.ebx & 1u << 24, CPU_CLWB) | feature_if(id.ecx & 1u << 2, CPU_UMIP);
}

static uint32_t features_amd(uint32_t highest)
{
	struct cpuid id = cpuid_read(0x80000001, 0);
	uint32_t found = feature_if(id.edx & 1u << 20, CPU_NX) | feature_if(id.edx & 1u << 26, CPU_HUGE_PAGES) |
			 feature_if(id.edx & 1u << 27, CPU_RDTSCP);

	if (highest >= 0x80000007)
		found |= feature_if(cpuid_read(0x80000007, 0).edx & 1u << 8, CPU_INVARIANT_TSC);
	return found;
}

static void name_read(uint32_t highest)
{
	uint32_t *words = (uint32_t *)(void *)cpu_name;
	uint32_t leading = 0;

	if (highest < 0x80000004)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid id = cpuid_read(0x80000002 + i, 0);

		words[i * 4] = id.eax;
		words[i * 4 + 1] = id.ebx;
		words[i * 4 + 2] = id.ecx;
		words[i * 4 + 3] = id.edx;
	}
	while (cpu_name[leading] == ' ')
		leading++;
	for (uint32_t i = 0; i + leading < sizeof(cpu_name); i++)
		cpu_name[i] = cpu_name[i + leading];
}

const char *arch_cpu_name(void)
{
	return cpu_name[0] ? cpu_name : "x86-64";
}

static uint32_t features_forbidden(const char *command_line)
{
	static const struct {
		const char *word;
		uint32_t features;
	} words[] = {
		{ "nosmap", CPU_SMAP },		{ "nosmep", CPU_SMEP },	    { "nopcid", CPU_PCID | CPU_INVPCID },
		{ "nofsgsbase", CPU_FSGSBASE }, { "nox2apic", CPU_X2APIC }, { "noavx", CPU_AVX | CPU_AVX2 | CPU_AVX512 },
	};
	uint32_t forbidden = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
		forbidden |= feature_if(command_line_has(command_line, words[i].word), words[i].features);
	return forbidden;
}

void features_detect(const char *command_line)
{
	uint32_t highest = cpuid_read(0, 0).eax;
	uint32_t highest_amd = cpuid_read(0x80000000, 0).eax;
	uint32_t found = features_basic();

	if (highest >= 7)
		found |= features_extended();
	found |= features_amd(highest_amd);
	name_read(highest_amd);
	if (!(found & CPU_PCID) && command_line_has(command_line, "pretendpcid")) {
		found |= CPU_PCID;
		cr3_no_flush = 0;
	}
	found &= ~features_forbidden(command_line);
	if (!(found & CPU_XSAVE))
		found &= ~(uint32_t)(CPU_AVX | CPU_AVX2 | CPU_AVX512);
	if (!(found & CPU_AVX))
		found &= ~(uint32_t)(CPU_AVX2 | CPU_AVX512);
	if (!(found & CPU_PCID))
		found &= ~(uint32_t)CPU_INVPCID;
	arch_features = found;
	fpu_detect(); /* may take features away */
	patch_apply(arch_features);
}

static uint64_t bit_if(uint32_t feature, uint64_t bit)
{
	return arch_features & feature ? bit : 0;
}

void arch_calls_short(bool allowed)
{
	const uint32_t needed = CPU_FSGSBASE | CPU_XSAVE;
	void (*entry)(void) = syscall_entry;

	if (allowed && (arch_features & needed) == needed)
		entry = arch_features & CPU_PCID ? syscall_entry_fast_pcid : syscall_entry_fast;
	msr_write(MSR_LSTAR, (uint64_t)entry);
}

static void syscall_load(void)
{
	msr_write(MSR_STAR, (uint64_t)SYSRET_BASE << 48 | (uint64_t)KERNEL_CS << 32);
	arch_calls_short(true);
	msr_write(MSR_FMASK, SYSCALL_FLAG_MASK);
	msr_write(MSR_SYSENTER_CS, 0); /* sysenter: #GP */
}

void features_load(void)
{
	uint64_t cr0 = cr0_read() & ~(CR0_EM | CR0_TS | CR0_AM);

	cr0_write(cr0 | CR0_MP | CR0_NE | CR0_WP);
	msr_write(MSR_EFER, (msr_read(MSR_EFER) & ~EFER_NXE) | EFER_SCE | bit_if(CPU_NX, EFER_NXE));
	msr_write(MSR_PAT, PAT_VALUE);
	cr4_write(CR4_PAE | CR4_DE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | bit_if(CPU_UMIP, CR4_UMIP) |
		  bit_if(CPU_FSGSBASE, CR4_FSGSBASE) | bit_if(CPU_XSAVE, CR4_OSXSAVE) | bit_if(CPU_SMEP, CR4_SMEP) |
		  bit_if(CPU_SMAP, CR4_SMAP));
	mmu_load();
	fpu_load_control();
	syscall_load();
	__asm__ volatile("movq %0, %%dr7" : : "r"(0x400ull)); /* no breakpoints (Intel SDM volume 3, 18.2.4) */
	if (arch_features & CPU_RDTSCP)
		msr_write(MSR_TSC_AUX, cpu_this()->index);
}
