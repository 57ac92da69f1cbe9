/* SPDX-License-Identifier: GPL-2.0-only */
/* cmos.c - the wall clock at boot, from the battery-backed clock (Motorola MC146818). Taken to run on UTC. Read twice,
 * until both readings agree, so that an update in between does no harm. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define NMI_DISABLE 0x80
#define REGISTER_A 0x0a
#define UPDATING 0x80
#define REGISTER_B 0x0b
#define HOURS_24 0x02
#define BINARY 0x04
#define FIELDS 6
#define ATTEMPTS 100000

static uint64_t boot_unix_ns; /* [I] */

static const uint8_t field_register[FIELDS] = { 0, 2, 4, 7, 8, 9 }; /* second minute hour day month year */
enum field { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR };

static uint8_t cmos_get(uint8_t index)
{
	port_out8(CMOS_INDEX, NMI_DISABLE | index);
	return port_in8(CMOS_DATA);
}

static void fields_get(uint8_t *field)
{
	for (uint32_t i = 0; i < ATTEMPTS && cmos_get(REGISTER_A) & UPDATING; i++)
		;
	for (uint32_t i = 0; i < FIELDS; i++)
		field[i] = cmos_get(field_register[i]);
}

static bool fields_are_equal(const uint8_t *a, const uint8_t *b)
{
	for (uint32_t i = 0; i < FIELDS; i++) {
		if (a[i] != b[i])
			return false;
	}
	return true;
}

static void fields_decode(uint8_t *field)
{
	uint8_t mode = cmos_get(REGISTER_B);
	bool afternoon = !(mode & HOURS_24) && field[HOUR] & 0x80;

	field[HOUR] &= 0x7f;
	for (uint32_t i = 0; i < FIELDS && !(mode & BINARY); i++)
		field[i] = (uint8_t)((field[i] >> 4) * 10 + (field[i] & 15));
	if (!(mode & HOURS_24))
		field[HOUR] = (uint8_t)(field[HOUR] % 12 + (afternoon ? 12 : 0));
}

/* Days since 1970 of the proleptic Gregorian calendar, counting years from March. */
static uint64_t days_since_1970(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t y = month > 2 ? year : year - 1;
	uint64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

void cmos_read(void)
{
	uint8_t field[FIELDS], again[FIELDS];
	uint64_t days;

	fields_get(field);
	for (uint32_t i = 0; i < 5; i++) {
		fields_get(again);
		if (fields_are_equal(field, again))
			break;
		fields_get(field);
	}
	fields_decode(field);
	port_out8(CMOS_INDEX, 0); /* NMIs on again */
	if (field[MONTH] < 1 || field[MONTH] > 12 || field[DAY] < 1 || field[DAY] > 31 || field[HOUR] > 23 ||
	    field[MINUTE] > 59 || field[SECOND] > 59 || field[YEAR] > 99) {
		log_line("the battery-backed clock is not set: times count from 1970");
		return;
	}
	days = days_since_1970(2000u + field[YEAR], field[MONTH], field[DAY]);
	boot_unix_ns = (((days * 24 + field[HOUR]) * 60 + field[MINUTE]) * 60 + field[SECOND]) * 1000000000ull -
		       arch_clock_ns();
}

uint64_t arch_boot_unix_ns(void)
{
	return boot_unix_ns;
}
