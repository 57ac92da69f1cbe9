/* SPDX-License-Identifier: GPL-2.0-only */
/* power.c - the ends: power off (ACPI 6.5, 4.8.3.2 and 7.4.2), restart (4.8.3.6), leaving the emulator, halting. Each
 * way that does not work is followed by the next. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"

#define SLEEP_ENABLE (1u << 13)
#define SLEEP_TYPE_SHIFT 10
#define SLEEP_BITS 0x3c00u
#define RESET_CONTROL 0xcf9 /* Intel ICH9 data sheet, 13.7.5 */
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_PULSE_RESET 0xfe
#define EMULATOR_EXIT 0xf4
#define SPACE_PORT 1

static const struct boot_info *firmware; /* [I] NULL until power_init */

void power_init(const struct boot_info *info)
{
	firmware = info;
}

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void delay(void)
{
	for (uint32_t i = 0; i < 100000; i++)
		port_in8(0x80);
}

static void sleep_write(uint16_t port, uint8_t type)
{
	uint32_t value;

	if (port == 0)
		return;
	value = port_in16(port) & ~SLEEP_BITS;
	port_out16(port, (uint16_t)(value | (uint32_t)type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
}

void arch_power_off(void)
{
	arch_irq_disable();
	arch_ipi_halt_others();
	if (firmware && firmware->s5_known) {
		sleep_write(firmware->pm1a_control_port, firmware->s5_type_a);
		sleep_write(firmware->pm1b_control_port, firmware->s5_type_b);
		delay();
	}
	static const char text[] = "The machine can be switched off now.\n";

	arch_log_write(text, sizeof(text) - 1);
	arch_halt();
}

static void reset_by_firmware(void)
{
	if (!firmware || !firmware->reset_known || firmware->reset_space != SPACE_PORT)
		return;
	port_out8((uint16_t)firmware->reset_address, firmware->reset_value);
	delay();
}

void arch_restart(void)
{
	struct PACKED {
		uint16_t limit;
		uint64_t base;
	} no_idt = { 0, 0 };

	arch_irq_disable();
	arch_ipi_halt_others();
	reset_by_firmware();
	port_out8(RESET_CONTROL, 0x02);
	port_out8(RESET_CONTROL, 0x06);
	delay();
	port_out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
	delay();
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt)); /* triple fault */
	arch_halt();
}

/* QEMU's isa-debug-exit: its exit status becomes (code << 1 | 1) & 0xff, so 255 for a panic. */
void arch_emulator_exit(uint32_t code)
{
	arch_irq_disable();
	port_out32(EMULATOR_EXIT, code);
	arch_power_off();
}
