/* SPDX-License-Identifier: GPL-2.0-only */
/* fpu.c - x87, vector and control state: switched eagerly, cleared at door crossings. The kernel itself uses none.
 * XSAVEOPT, XSAVE or FXSAVE, chosen at boot. Layout of an area: Intel SDM volume 1, 13.4; clearing is a restore from
 * an area that says "all in initial state", so that one path serves every component.
 * XSAVEOPT may leave out what it believes the area holds already; so it is used only where the area was restored on
 * this CPU by the switch before (volume 1, 13.6), and arch_fpu_save uses XSAVE. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"

#define LEGACY_BYTES 512
#define INITIAL_X87_CONTROL 0x37f
#define INITIAL_MXCSR 0x1f80
#define XCR0_X87 (1u << 0)
#define XCR0_SSE (1u << 1)
#define XCR0_AVX (1u << 2)
#define XCR0_AVX512 (7u << 5)

enum fpu_method { FPU_FXSAVE, FPU_XSAVE, FPU_XSAVEOPT };

static enum fpu_method method;   /* [I] */
uint64_t fpu_components;             /* [I] XCR0 */
struct fpu_state_initial {
	uint16_t control;        /* x87 */
	uint8_t pad0[22];
	uint32_t mxcsr;
	uint8_t pad1[LEGACY_BYTES - 28];
	uint64_t present;        /* XSAVE header: 0 = every component is in its initial state */
	uint8_t pad2[56];
} fpu_initial ALIGNED(64) = { .control = INITIAL_X87_CONTROL, .mxcsr = INITIAL_MXCSR };

_Static_assert(offsetof(__typeof__(fpu_initial), mxcsr) == 24, "Intel SDM volume 1, table 10-2");
_Static_assert(sizeof(fpu_initial) == LEGACY_BYTES + 64, "Intel SDM volume 1, 13.4");

void fpu_detect(void)
{
	struct cpuid id;

	method = FPU_FXSAVE;
	if (!(arch_features & CPU_XSAVE))
		return;
	id = cpuid_read(13, 0);
	fpu_components = XCR0_X87 | XCR0_SSE;
	if (arch_features & CPU_AVX && id.eax & XCR0_AVX)
		fpu_components |= XCR0_AVX;
	else
		arch_features &= ~(uint32_t)(CPU_AVX | CPU_AVX2 | CPU_AVX512);
	if (arch_features & CPU_AVX512 && (id.eax & XCR0_AVX512) == XCR0_AVX512)
		fpu_components |= XCR0_AVX512;
	else
		arch_features &= ~(uint32_t)CPU_AVX512;
	method = FPU_XSAVE;
	if (cpuid_read(13, 1).eax & 1) {
		method = FPU_XSAVEOPT;
		arch_features |= CPU_XSAVEOPT;
	}
}

void fpu_load_control(void)
{
	if (method != FPU_FXSAVE) {
		__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)fpu_components), "d"((uint32_t)(fpu_components >> 32)));
		ASSERT(cpuid_read(13, 0).ebx <= FPU_AREA_BYTES_MAX);
	}
	__asm__ volatile("fninit");
	arch_fpu_clear();
}

void fpu_area_init(void *area)
{
	ASSERT(((uint64_t)area & 63) == 0);
	__builtin_memcpy(area, &fpu_initial, sizeof(fpu_initial));
}

static inline uint32_t mask_low(void)
{
	return (uint32_t)fpu_components;
}

void arch_fpu_save(void *area)
{
	if (method == FPU_FXSAVE)
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	else
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(mask_low()), "d"(0) : "memory");
}

void arch_fpu_load(const void *area)
{
	if (method == FPU_FXSAVE)
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
	else
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(mask_low()), "d"(0) : "memory");
}

void fpu_switch(void *old_area, void *new_area)
{
	if (old_area && method == FPU_XSAVEOPT)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(old_area), "a"(mask_low()), "d"(0) : "memory");
	else if (old_area)
		arch_fpu_save(old_area);
	if (new_area)
		arch_fpu_load(new_area);
}

void arch_fpu_clear(void)
{
	arch_fpu_load(&fpu_initial);
}

uint64_t arch_fpu_control(void)
{
	uint32_t mxcsr;
	uint16_t control;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	return mxcsr | (uint64_t)control << 32;
}

void arch_fpu_control_set(uint64_t value)
{
	uint32_t mxcsr = (uint32_t)value;
	uint16_t control = (uint16_t)(value >> 32);

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("fnclex; fldcw %0" : : "m"(control)); /* fldcw would raise what is pending, in the kernel */
}
