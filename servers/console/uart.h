/* SPDX-License-Identifier: BSD-2-Clause */
/* uart.h - a 16550 UART with FIFOs, interrupt driven both ways, between two byte rings.
 * Specification: National Semiconductor (now TI) PC16550D data sheet, June 1995; section numbers
 * in the comments.
 * Sync: nothing here blocks. Locks: the caller holds one lock around every call on the same
 * struct uart.
 * Pure: registers are reached through struct uart_ports, so the state machine runs against a
 * model on the host. */
#pragma once

#include "console/ring.h"

#define UART_REGISTERS 8
#define UART_FIFO_BYTES 16

struct uart_ports {
	uint8_t (*read)(void *context, unsigned reg);
	void (*write)(void *context, unsigned reg, uint8_t value);
	void (*write_bytes)(void *context, unsigned reg, const uint8_t *bytes, uint32_t count);
	void *context;
};

struct uart {
	struct uart_ports ports;
	struct ring input;
	struct ring output;
	bool transmitting; /* bytes are in the FIFO; a THRE interrupt will come */
	bool input_paused; /* the input ring is full, the receive interrupt is off */
	bool after_cr;     /* the last byte queued was CR: an LF after it stays a single LF */
	uint64_t overruns; /* line status said that the device lost bytes */
	uint64_t errors;   /* parity, framing */
};

/* Find and set up the device: 115200 8N1, FIFOs on, interrupts for data, space and line errors.
 * ERR_NOT_FOUND: nothing answers at these ports; ERR_UNSUPPORTED: it has no working FIFOs (an
 * 8250 or 16450). */
MUST_USE
err_t uart_init(struct uart *u, const struct uart_ports *ports, uint8_t *input, uint32_t input_bytes,
	uint8_t *output, uint32_t output_bytes);

/* Serve every pending interrupt of the device, until it has none: the line may be edge triggered. */
void uart_interrupt(struct uart *u);

/* Queue bytes, LF as CR LF, and start the transmitter. The number of input bytes taken; fewer:
 * the queue is full. */
uint32_t uart_write(struct uart *u, const uint8_t *bytes, uint32_t count);

/* Take what has come, and let the device go on if it was paused. */
uint32_t uart_read(struct uart *u, uint8_t *bytes, uint32_t max);

/* Has everything left the device, shift register included? */
bool uart_is_drained(struct uart *u);
