/* SPDX-License-Identifier: GPL-2.0-only */
/* tsc.c - the clock: the time stamp counter, measured once against the HPET or else the PIT.
 * ns = ((tsc - base) * mult) >> 32 in 128 bits; the system page hands the same three numbers to user mode.
 * One base serves all CPUs: each one's counter is compared with the boot CPU's when it starts. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "mm/kernel_space.h"

#include <lintel/startup.h>

#define NS_PER_SECOND 1000000000ull
#define FS_PER_SECOND 1000000000000000ull
#define CLOCK_SHIFT 32
#define WINDOW_MS 10
#define WINDOW_FS (WINDOW_MS * FS_PER_SECOND / 1000)
#define TRIES_MAX 100000000u
#define PRECISION_HZ 10000 /* finer than this the measurement is not */
#define ATTEMPTS 5
#define CHECK_ROUNDS 4
#define CHECK_PATIENCE_NS (2 * NS_PER_SECOND)

#define HPET_PERIOD_HIGH 0x4 /* IA-PC HPET 1.0a, 2.3.4: femtoseconds a tick */
#define HPET_CONFIG 0x10
#define HPET_COUNTER 0xf0
#define HPET_ENABLE 1u
#define HPET_PERIOD_MAX 100000000u

#define PIT_HZ 1193182ull
#define PIT_CHANNEL2 0x42
#define PIT_MODE 0x43
#define PIT_GATE 0x61 /* bit 0 gate, bit 1 speaker, bit 5 output of channel 2 */

static uint64_t base;  /* [I] */
static uint64_t mult;  /* [I] 0 until calibrated */
static uint64_t hz;    /* [I] */
static volatile uint32_t *hpet;

enum check_turn { TURN_SOURCE, TURN_TARGET, TURN_OVER };
static enum check_turn check_turn; /* [a] whose move it is */
static uint64_t check_value;       /* written before the turn is passed */

uint64_t arch_clock_ns(void)
{
	return (uint64_t)(((unsigned __int128)(tsc_read() - base) * mult) >> CLOCK_SHIFT);
}

uint64_t tsc_at(uint64_t deadline_ns)
{
	if (deadline_ns / NS_PER_SECOND > UINT32_MAX) /* a century */
		deadline_ns = (uint64_t)UINT32_MAX * NS_PER_SECOND;
	return base + multiply_divide(deadline_ns, hz, NS_PER_SECOND) + 1;
}

void tsc_delay_ns(uint64_t ns)
{
	uint64_t end = arch_clock_ns() + ns;

	while (arch_clock_ns() < end)
		arch_pause();
}

/* One reading of both clocks, as close together as ATTEMPTS tries give. */
static void hpet_sample(uint64_t *tsc, uint32_t *ticks)
{
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < ATTEMPTS; i++) {
		uint64_t before = tsc_read_ordered();
		uint32_t count = hpet[HPET_COUNTER / 4];
		uint64_t after = tsc_read_ordered();

		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ticks = count;
	}
}

static uint64_t measure_by_hpet(void)
{
	uint64_t period = hpet[HPET_PERIOD_HIGH / 4];
	uint64_t tsc_start = 0, tsc_end = 0;
	uint32_t start = 0, end = 0;

	if (period == 0 || period > HPET_PERIOD_MAX)
		return 0;
	hpet[HPET_CONFIG / 4] |= HPET_ENABLE;
	hpet_sample(&tsc_start, &start);
	for (uint32_t i = 0; i < TRIES_MAX && (hpet[HPET_COUNTER / 4] - start) * period < WINDOW_FS; i++)
		arch_pause();
	hpet_sample(&tsc_end, &end);
	if (end == start)
		return 0;
	return multiply_divide(tsc_end - tsc_start, FS_PER_SECOND, (uint64_t)(end - start) * period);
}

/* Intel 8254 data sheet, mode 0: the output rises when the count has run out. */
static uint64_t measure_by_pit(void)
{
	uint32_t count = (uint32_t)(PIT_HZ * WINDOW_MS / 1000);
	uint64_t start;
	uint32_t i;

	port_out8(PIT_GATE, (port_in8(PIT_GATE) & ~2) | 1);
	port_out8(PIT_MODE, 0xb0);
	port_out8(PIT_CHANNEL2, (uint8_t)count);
	port_out8(PIT_CHANNEL2, (uint8_t)(count >> 8));
	start = tsc_read_ordered();
	for (i = 0; i < TRIES_MAX && !(port_in8(PIT_GATE) & 0x20); i++)
		;
	if (i == TRIES_MAX)
		return 0;
	return multiply_divide(tsc_read_ordered() - start, PIT_HZ, count);
}

void tsc_calibrate(const struct boot_info *info)
{
	const char *by = "HPET";
	void *mapped;

	base = tsc_read();
	if (info->hpet_base && kernel_map(PADDR(info->hpet_base), PAGE_SIZE, CACHE_UNCACHED, true, &mapped) == OK) {
		hpet = mapped;
		hz = measure_by_hpet();
		kernel_unmap(mapped, PAGE_SIZE);
	}
	if (hz == 0) {
		by = "PIT";
		hz = measure_by_pit();
	}
	if (hz == 0)
		panic("neither HPET nor PIT counts: the clock cannot be measured");
	hz = (hz + PRECISION_HZ / 2) / PRECISION_HZ * PRECISION_HZ;
	mult = multiply_divide(NS_PER_SECOND, 1ull << CLOCK_SHIFT, hz);
	log_line("clock: TSC at %lu.%03lu MHz by %s%s", hz / 1000000, hz / 1000 % 1000, by,
		 arch_features & CPU_INVARIANT_TSC ? "" : ", not promised to be invariant");
}

uint64_t arch_tsc_hz(void)
{
	return hz;
}

void arch_fill_sysinfo(struct sysinfo_page *page)
{
	*page = (struct sysinfo_page){
		.magic = SYSINFO_MAGIC,
		.version = 1,
		.cpus = cpu_count(),
		.tsc_base = base,
		.tsc_mult = mult,
		.tsc_shift = CLOCK_SHIFT,
		.features = arch_features,
		.boot_unix_ns = arch_boot_unix_ns(),
		.tsc_hz = hz,
	};
}

static bool turn_wait(enum check_turn turn)
{
	uint64_t end = arch_clock_ns() + CHECK_PATIENCE_NS;

	while (__atomic_load_n(&check_turn, __ATOMIC_ACQUIRE) != turn) {
		if (arch_clock_ns() > end) {
			__atomic_store_n(&check_turn, TURN_SOURCE, __ATOMIC_RELEASE);
			return false;
		}
		arch_pause();
	}
	return true;
}

/* The other CPU's reading must lie between two of ours; what is outside of that in every round is an offset. */
bool tsc_check_source(uint32_t cpu)
{
	int64_t ahead = INT64_MIN, behind = INT64_MIN;

	for (uint32_t round = 0; round < CHECK_ROUNDS; round++) {
		uint64_t before = tsc_read_ordered();

		__atomic_store_n(&check_turn, TURN_TARGET, __ATOMIC_RELEASE);
		if (!turn_wait(TURN_SOURCE))
			return false;
		int64_t over = (int64_t)(check_value - tsc_read_ordered());
		int64_t under = (int64_t)(before - check_value);

		ahead = over > ahead ? over : ahead;
		behind = under > behind ? under : behind;
	}
	__atomic_store_n(&check_turn, TURN_OVER, __ATOMIC_RELEASE);
	if (ahead > 0 || behind > 0)
		log_line("CPU %u: its TSC is %ld ticks %s the boot CPU's; times taken on both do not compare", cpu,
			 ahead > 0 ? ahead : behind, ahead > 0 ? "ahead of" : "behind");
	return true;
}

void tsc_check_target(void)
{
	enum check_turn turn;

	while ((turn = __atomic_load_n(&check_turn, __ATOMIC_ACQUIRE)) != TURN_OVER) {
		if (turn == TURN_TARGET) {
			check_value = tsc_read_ordered();
			__atomic_store_n(&check_turn, TURN_SOURCE, __ATOMIC_RELEASE);
		} else {
			arch_pause();
		}
	}
	__atomic_store_n(&check_turn, TURN_SOURCE, __ATOMIC_RELEASE); /* for the next CPU */
}
