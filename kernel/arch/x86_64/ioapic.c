/* SPDX-License-Identifier: GPL-2.0-only */
/* ioapic.c - device interrupt lines ("global system interrupts") to vectors of the boot CPU (Intel 82093AA data sheet).
 * A level-triggered line is masked when it comes and stays so until arch_line_mask(gsi, false): the driver that
 * silences the device runs later, in user mode.
 * Locks: [l] lines_lock, interrupts off, innermost of all. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/log.h"
#include "mm/kernel_space.h"

#define SELECT 0x00
#define WINDOW 0x10
#define REGISTER_VERSION 1
#define REGISTER_ENTRIES 0x10
#define ENTRY_LOW_ACTIVE (1u << 13)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_MASKED (1u << 16)
#define ISA_LINES 16
#define VECTORS_OF_LINES (VECTOR_LINE_LAST - VECTOR_LINE_FIRST + 1)
#define NO_LINE UINT32_MAX

struct ioapic {
	volatile uint32_t *registers; /* [I] */
	uint32_t gsi_base;            /* [I] */
	uint32_t entries;             /* [I] */
};

struct line { /* by vector */
	bool used;     /* [l] */
	uint32_t gsi;  /* [l] */
	uint32_t entry; /* [l] low half of the redirection entry, but for the mask */
};

static struct ioapic ioapics[BOOT_IOAPICS_MAX];
static uint32_t ioapic_count;
static struct line lines[VECTORS_OF_LINES];
static struct spinlock lines_lock = SPINLOCK_INIT(LOCK_RANK_LOG);
static const struct boot_info *firmware;

static uint32_t register_read(const struct ioapic *ioapic, uint32_t index)
{
	ioapic->registers[SELECT / 4] = index;
	return ioapic->registers[WINDOW / 4];
}

static void register_write(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
	ioapic->registers[SELECT / 4] = index;
	ioapic->registers[WINDOW / 4] = value;
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
	for (uint32_t i = 0; i < ioapic_count; i++) {
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].entries)
			return &ioapics[i];
	}
	return NULL;
}

/* The low half alone, in one write: an edge that comes while the line is masked is lost, so it is never masked "for a
 * moment". */
static void entry_write(uint32_t gsi, uint32_t low)
{
	const struct ioapic *ioapic = ioapic_of(gsi);

	register_write(ioapic, REGISTER_ENTRIES + 2 * (gsi - ioapic->gsi_base), low);
}

/* Masked, to the boot CPU. */
static void entry_route(uint32_t gsi, uint32_t low)
{
	const struct ioapic *ioapic = ioapic_of(gsi);

	entry_write(gsi, low | ENTRY_MASKED);
	register_write(ioapic, REGISTER_ENTRIES + 2 * (gsi - ioapic->gsi_base) + 1, cpus[0].apic_id << 24);
}

void ioapic_init(const struct boot_info *info)
{
	void *mapped;

	firmware = info;
	for (uint32_t i = 0; i < info->ioapics; i++) {
		struct ioapic *ioapic = &ioapics[ioapic_count];

		if (kernel_map(PADDR(info->ioapic[i].address), PAGE_SIZE, CACHE_UNCACHED, true, &mapped) != OK)
			panic("no memory to map I/O APIC %u", info->ioapic[i].id);
		ioapic->registers = mapped;
		ioapic->gsi_base = info->ioapic[i].gsi_base;
		ioapic->entries = (register_read(ioapic, REGISTER_VERSION) >> 16 & 0xff) + 1;
		ioapic_count++;
		for (uint32_t line = 0; line < ioapic->entries; line++)
			register_write(ioapic, REGISTER_ENTRIES + 2 * line, ENTRY_MASKED);
	}
	if (ioapic_count == 0)
		log_line("no I/O APIC: device interrupts do not work");
}

uint32_t arch_line_isa(uint32_t isa_irq)
{
	for (uint32_t i = 0; i < firmware->overrides; i++) {
		if (firmware->override[i].isa_irq == isa_irq)
			return firmware->override[i].gsi;
	}
	return isa_irq;
}

static uint32_t entry_flags(bool level, bool low_active)
{
	return (level ? ENTRY_LEVEL : 0) | (low_active ? ENTRY_LOW_ACTIVE : 0);
}

/* ACPI 6.5, 5.2.12.5: what is not overridden is ISA-like (edge, high) below 16, PCI-like (level, low) above. */
static uint32_t entry_by_firmware(uint32_t gsi)
{
	for (uint32_t i = 0; i < firmware->overrides; i++) {
		if (firmware->override[i].gsi == gsi)
			return entry_flags(firmware->override[i].level, firmware->override[i].active_low);
	}
	return entry_flags(gsi >= ISA_LINES, gsi >= ISA_LINES);
}

static uint32_t line_find(uint32_t gsi) TA_EXCL(lines_lock)
{
	for (uint32_t i = 0; i < VECTORS_OF_LINES; i++) {
		if (lines[i].used && lines[i].gsi == gsi)
			return i;
	}
	return NO_LINE;
}

static err_t line_take(uint32_t gsi, uint32_t entry) TA_EXCL(lines_lock)
{
	if (line_find(gsi) != NO_LINE)
		return ERR_EXISTS;
	for (uint32_t i = 0; i < VECTORS_OF_LINES; i++) {
		if (lines[i].used)
			continue;
		lines[i] = (struct line){ .used = true, .gsi = gsi, .entry = entry | (VECTOR_LINE_FIRST + i) };
		entry_route(gsi, lines[i].entry);
		return OK;
	}
	return ERR_LIMIT;
}

err_t arch_line_claim(uint32_t gsi, uint32_t flags)
{
	uint32_t entry = flags & ARCH_LINE_FIRMWARE ? entry_by_firmware(gsi) :
						      entry_flags(flags & ARCH_LINE_LEVEL, flags & ARCH_LINE_LOW);
	uint64_t interrupts;
	err_t err;

	if (!ioapic_of(gsi))
		return ERR_ARGS;
	interrupts = spin_lock_irq(&lines_lock);
	err = line_take(gsi, entry);
	spin_unlock_irq(&lines_lock, interrupts);
	return err;
}

void arch_line_mask(uint32_t gsi, bool masked)
{
	uint64_t interrupts = spin_lock_irq(&lines_lock);
	uint32_t line = line_find(gsi);

	if (line != NO_LINE)
		entry_write(gsi, lines[line].entry | (masked ? ENTRY_MASKED : 0));
	spin_unlock_irq(&lines_lock, interrupts);
}

void arch_line_release(uint32_t gsi)
{
	uint64_t interrupts = spin_lock_irq(&lines_lock);
	uint32_t line = line_find(gsi);

	if (line != NO_LINE) {
		entry_write(gsi, ENTRY_MASKED);
		lines[line].used = false;
	}
	spin_unlock_irq(&lines_lock, interrupts);
}

bool ioapic_arrived(uint32_t vector)
{
	uint64_t interrupts;
	struct line line;

	if (vector < VECTOR_LINE_FIRST || vector > VECTOR_LINE_LAST)
		return false;
	interrupts = spin_lock_irq(&lines_lock);
	line = lines[vector - VECTOR_LINE_FIRST];
	if (line.used && line.entry & ENTRY_LEVEL)
		entry_write(line.gsi, line.entry | ENTRY_MASKED);
	spin_unlock_irq(&lines_lock, interrupts);
	if (!line.used)
		return false;
	apic_eoi();
	interrupt_arrived(line.gsi);
	return true;
}
