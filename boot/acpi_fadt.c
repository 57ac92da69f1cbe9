/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi_fadt.c - power off and reset (FADT: ACPI 6.5, 5.2.9; sleep types: 7.4.2 and 16.1.2).
 * The sleep type of S5 stands in an AML package, Name (_S5_, Package () { a, b, ... }). There is no AML interpreter
 * here: the bytes of such a definition are looked for (encoding: 20.2), and anything that is not plain constants is
 * passed over. */

#include "boot/acpi.h"

#define FADT_BYTES 76 /* up to PM1b_CNT_BLK and its neighbours; later fields only where the length says so */
#define FADT_RESET_SUPPORTED (1u << 10)
#define FADT_HARDWARE_REDUCED (1u << 20)
#define SPACE_MEMORY 0
#define SPACE_IO 1
#define SLEEP_TYPE_MAX 7

enum fadt_offset {
	FADT_DSDT = 40,
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_FLAGS = 112,
	FADT_RESET = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CONTROL = 172,
	FADT_X_PM1B_CONTROL = 184,
};

enum aml {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};

struct aml_cursor {
	const uint8_t *at;
	const uint8_t *end;
};

/* A generic address (5.2.3.2) wins over the older field if it is there and is a port. */
static uint16_t control_port(struct acpi *acpi, const struct acpi_table *fadt, uint32_t x_offset, uint32_t offset)
{
	uint32_t port = get32(fadt->at + offset);

	if (fadt->bytes >= x_offset + 12 && fadt->at[x_offset] == SPACE_IO && get64(fadt->at + x_offset + 4))
		port = get64(fadt->at + x_offset + 4) <= UINT16_MAX ? get32(fadt->at + x_offset + 4) : UINT32_MAX;
	if (port > UINT16_MAX) {
		boot_log(acpi->info, "ACPI: FACP names an impossible port for PM1 control; not used");
		return 0;
	}
	return (uint16_t)port;
}

static void read_reset(struct boot_info *info, const struct acpi_table *fadt)
{
	const uint8_t *reset = fadt->at + FADT_RESET;
	uint64_t address;

	if (fadt->bytes <= FADT_RESET_VALUE || !(get32(fadt->at + FADT_FLAGS) & FADT_RESET_SUPPORTED))
		return;
	address = get64(reset + 4);
	if (!address || reset[0] > SPACE_IO || (reset[0] == SPACE_IO && address > UINT16_MAX)) {
		boot_log(info, "ACPI: FACP has a reset register in space %u at 0x%lx; not used", reset[0], address);
		return;
	}
	info->reset_address = address;
	info->reset_space = reset[0];
	info->reset_value = fadt->at[FADT_RESET_VALUE];
	info->reset_known = true;
}

static bool aml_byte(struct aml_cursor *cursor, uint8_t *out)
{
	if (cursor->at >= cursor->end)
		return false;
	*out = *cursor->at++;
	return true;
}

/* 20.2.4: the two top bits of the first byte tell how many follow. Narrows the cursor to the package. */
static bool aml_enter_package(struct aml_cursor *cursor)
{
	const uint8_t *start = cursor->at;
	uint8_t first, next;
	uint32_t length;

	if (!aml_byte(cursor, &first))
		return false;
	length = first >> 6 ? first & 0x0f : first & 0x3f;
	for (uint32_t i = 0; i < first >> 6; i++) {
		if (!aml_byte(cursor, &next))
			return false;
		length |= (uint32_t)next << (4 + 8 * i);
	}
	if (length > (uint64_t)(cursor->end - start) || length < (uint64_t)(cursor->at - start))
		return false;
	cursor->end = start + length;
	return true;
}

static bool aml_constant(struct aml_cursor *cursor, uint64_t *out)
{
	uint8_t op, bytes, next;

	if (!aml_byte(cursor, &op))
		return false;
	*out = op;
	if (op == AML_ZERO || op == AML_ONE)
		return true;
	if (op < AML_BYTE || op > AML_DWORD)
		return false;
	*out = 0;
	bytes = (uint8_t)(1u << (op - AML_BYTE));
	for (uint32_t i = 0; i < bytes; i++) {
		if (!aml_byte(cursor, &next))
			return false;
		*out |= (uint64_t)next << (8 * i);
	}
	return true;
}

/* The cursor stands behind "_S5_". */
static bool read_s5_package(struct aml_cursor cursor, struct boot_info *info)
{
	uint64_t a, b = 0;
	uint8_t op, elements;

	if (!aml_byte(&cursor, &op) || op != AML_PACKAGE || !aml_enter_package(&cursor))
		return false;
	if (!aml_byte(&cursor, &elements) || elements < 1 || !aml_constant(&cursor, &a))
		return false;
	if (elements >= 2 && !aml_constant(&cursor, &b))
		return false;
	if (a > SLEEP_TYPE_MAX || b > SLEEP_TYPE_MAX)
		return false;
	info->s5_type_a = (uint8_t)a;
	info->s5_type_b = (uint8_t)b;
	info->s5_known = true;
	return true;
}

static void scan_s5(const struct acpi_table *table, struct boot_info *info)
{
	const uint8_t *aml = table->at;

	for (uint32_t i = ACPI_HEADER_BYTES + 1; i + 4 <= table->bytes && !info->s5_known; i++) {
		bool named = aml[i - 1] == AML_NAME ||
			     (aml[i - 1] == AML_ROOT && i >= ACPI_HEADER_BYTES + 2 && aml[i - 2] == AML_NAME);

		if (named && __builtin_memcmp(aml + i, "_S5_", 4) == 0)
			read_s5_package((struct aml_cursor){ aml + i + 4, aml + table->bytes }, info);
	}
}

/* The DSDT, which only the FADT points to, then the SSDTs. */
static void find_s5(struct acpi *acpi, uint64_t dsdt)
{
	struct acpi_table table;

	if (dsdt && acpi_add_table(acpi, dsdt, "DSDT") && acpi_open_at(acpi, acpi->tables - 1, &table))
		scan_s5(&table, acpi->info);
	for (uint32_t i = 0; i < acpi->tables && !acpi->info->s5_known; i++) {
		if (__builtin_memcmp(acpi->table[i].signature, "SSDT", 4) == 0 && acpi_open_at(acpi, i, &table))
			scan_s5(&table, acpi->info);
	}
	if (!acpi->info->s5_known)
		boot_log(acpi->info, "ACPI: no _S5_ found; the machine cannot be powered off");
}

void acpi_read_fadt(struct acpi *acpi)
{
	struct boot_info *info = acpi->info;
	struct acpi_table fadt;
	uint64_t dsdt = 0;

	if (!acpi_open(acpi, "FACP", FADT_BYTES, &fadt))
		return;
	if (fadt.bytes < FADT_RESET || !(get32(fadt.at + FADT_FLAGS) & FADT_HARDWARE_REDUCED)) {
		info->pm1a_control_port = control_port(acpi, &fadt, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL);
		info->pm1b_control_port = control_port(acpi, &fadt, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL);
	}
	read_reset(info, &fadt);
	if (fadt.bytes >= FADT_X_DSDT + 8)
		dsdt = get64(fadt.at + FADT_X_DSDT);
	find_s5(acpi, dsdt ? dsdt : get32(fadt.at + FADT_DSDT));
}
