/* SPDX-License-Identifier: GPL-2.0-only */
/* uart.c - polled output on the first serial port (National 16550 data sheet), and port access for arch.h.
 * Rules: no locks, no memory: it must work in a panic. A port that is not there is found out once; one that never says
 * "empty" costs a bounded wait a byte. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"

#define UART 0x3f8
#define UART_INTERRUPTS (UART + 1)
#define UART_FIFO (UART + 2)
#define UART_LINE (UART + 3)
#define UART_MODEM (UART + 4)
#define UART_STATUS (UART + 5)
#define UART_SCRATCH (UART + 7)
#define STATUS_EMPTY 0x20
#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define PATIENCE 100000

#define UART_ISA_IRQ 4

static bool present; /* [I] */

bool arch_line_is_log(uint32_t gsi)
{
	return present && gsi == arch_line_isa(UART_ISA_IRQ);
}

void uart_init(void)
{
	port_out8(UART_SCRATCH, 0x5a);
	present = port_in8(UART_SCRATCH) == 0x5a;
	if (!present)
		return;
	port_out8(UART_INTERRUPTS, 0);
	port_out8(UART_LINE, LINE_DIVISOR);
	port_out8(UART, 1); /* 115,200 baud */
	port_out8(UART + 1, 0);
	port_out8(UART_LINE, LINE_8N1);
	port_out8(UART_FIFO, 0x07);
	port_out8(UART_MODEM, 0x0b);
}

static void uart_put(uint8_t byte)
{
	for (uint32_t i = 0; i < PATIENCE && !(port_in8(UART_STATUS) & STATUS_EMPTY); i++)
		arch_pause();
	port_out8(UART, byte);
}

void arch_log_write(const char *text, size_t bytes)
{
	for (size_t i = 0; present && i < bytes; i++) {
		if (text[i] == '\n')
			uart_put('\r');
		uart_put((uint8_t)text[i]);
	}
}

uint32_t arch_port_read(uint16_t port, uint32_t width)
{
	ASSERT(width == 1 || width == 2 || width == 4);
	if (width == 1)
		return port_in8(port);
	return width == 2 ? port_in16(port) : port_in32(port);
}

void arch_port_write(uint16_t port, uint32_t width, uint32_t value)
{
	ASSERT(width == 1 || width == 2 || width == 4);
	if (width == 1)
		port_out8(port, (uint8_t)value);
	else if (width == 2)
		port_out16(port, (uint16_t)value);
	else
		port_out32(port, value);
}
