/* SPDX-License-Identifier: BSD-2-Clause */
/* uart.c - the 16550's state machine. Section numbers: PC16550D data sheet. */
#include "console/uart.h"

/* 8.0, table II: registers by address. */
enum uart_register {
	REG_DATA = 0,        /* RBR (read), THR (write); divisor low with DLAB */
	REG_INTERRUPT = 1,   /* IER; divisor high with DLAB */
	REG_IDENTIFY = 2,    /* IIR (read) */
	REG_FIFO = 2,        /* FCR (write) */
	REG_LINE = 3,        /* LCR */
	REG_MODEM = 4,       /* MCR */
	REG_LINE_STATUS = 5, /* LSR */
	REG_MODEM_STATUS = 6,
	REG_SCRATCH = 7
};

/* Bits, by the section that lists them. */
enum {
	/* 8.1, LCR */
	LINE_8N1 = 0x03,
	LINE_DLAB = 0x80,
	/* 8.4, LSR; EMPTY (TEMT) is FIFO and shift register */
	STATUS_DATA = 0x01,
	STATUS_OVERRUN = 0x02,
	STATUS_PARITY = 0x04,
	STATUS_FRAMING = 0x08,
	STATUS_EMPTY = 0x40,
	/* 8.5, FCR */
	FIFO_ENABLE = 0x01,
	FIFO_CLEAR = 0x06,
	FIFO_TRIGGER_8 = 0x80,
	/* 8.6, IIR */
	IDENTIFY_NONE = 0x01,
	IDENTIFY_MASK = 0x0f,
	IDENTIFY_FIFOS = 0xc0,
	IDENTIFY_MODEM = 0x00,
	IDENTIFY_SPACE = 0x02,
	IDENTIFY_DATA = 0x04,
	IDENTIFY_LINE = 0x06,
	IDENTIFY_TIMEOUT = 0x0c,
	/* 8.7, IER */
	INTERRUPT_DATA = 0x01,
	INTERRUPT_SPACE = 0x02,
	INTERRUPT_LINE = 0x04,
	/* 8.8, MCR; OUT2 gates the PC's interrupt line */
	MODEM_DTR = 0x01,
	MODEM_RTS = 0x02,
	MODEM_OUT2 = 0x08
};

#define DIVISOR_115200 1      /* 8.3, table III: 1.8432 MHz / 16 / 115200 */
#define INTERRUPT_ROUNDS 1024 /* a device that never stops claiming interrupts is left alone after this many */

static uint8_t reg_read(const struct uart *u, unsigned reg)
{
	return u->ports.read(u->ports.context, reg);
}

static void reg_write(const struct uart *u, unsigned reg, uint8_t value)
{
	u->ports.write(u->ports.context, reg, value);
}

/* 8.10: the scratchpad holds what was written and does nothing else. */
static bool is_present(const struct uart *u)
{
	reg_write(u, REG_SCRATCH, 0x5a);
	if (reg_read(u, REG_SCRATCH) != 0x5a)
		return false;
	reg_write(u, REG_SCRATCH, 0xa5);
	return reg_read(u, REG_SCRATCH) == 0xa5;
}

static void enable_interrupts(const struct uart *u)
{
	uint8_t receive = u->input_paused ? 0 : INTERRUPT_DATA | INTERRUPT_LINE;
	reg_write(u, REG_INTERRUPT, receive | INTERRUPT_SPACE);
}

err_t uart_init(struct uart *u, const struct uart_ports *ports, uint8_t *input, uint32_t input_bytes,
	uint8_t *output, uint32_t output_bytes)
{
	*u = (struct uart){ .ports = *ports };
	ring_init(&u->input, input, input_bytes);
	ring_init(&u->output, output, output_bytes);

	if (!is_present(u))
		return ERR_NOT_FOUND;
	reg_write(u, REG_INTERRUPT, 0);                                     /* 8.7: none while we set up */
	reg_write(u, REG_LINE, LINE_DLAB);                                  /* 8.1 bit 7: open the divisor latch */
	reg_write(u, REG_DATA, DIVISOR_115200 & 0xff);                      /* 8.3 */
	reg_write(u, REG_INTERRUPT, DIVISOR_115200 >> 8);                   /* 8.3 */
	reg_write(u, REG_LINE, LINE_8N1);                                   /* 8.1: 8 bits, 1 stop bit, no parity */
	reg_write(u, REG_FIFO, FIFO_ENABLE);                                /* 8.5: bit 0 first, or the rest is ignored */
	reg_write(u, REG_FIFO, FIFO_ENABLE | FIFO_CLEAR | FIFO_TRIGGER_8);  /* 8.5: empty both, trigger at 8 bytes */
	if ((reg_read(u, REG_IDENTIFY) & IDENTIFY_FIFOS) != IDENTIFY_FIFOS) /* 8.6 bits 6 and 7 */
		return ERR_UNSUPPORTED;
	reg_write(u, REG_MODEM, MODEM_DTR | MODEM_RTS | MODEM_OUT2); /* 8.8 */
	reg_read(u, REG_LINE_STATUS);                                /* 8.4: reading clears old errors */
	reg_read(u, REG_MODEM_STATUS);                               /* 8.9: and old deltas */
	enable_interrupts(u);                                        /* 8.7 */
	return OK;
}

/* 8.11: bytes are taken while LSR says that there are any. A full ring pauses the receive
 * interrupt and leaves the bytes in the device's FIFO, where the sender's flow control, if it
 * has one, sees them. */
static void receive(struct uart *u)
{
	for (;;) {
		uint8_t status = reg_read(u, REG_LINE_STATUS);
		u->overruns += !!(status & STATUS_OVERRUN);
		u->errors += !!(status & (STATUS_PARITY | STATUS_FRAMING));
		if (!(status & STATUS_DATA))
			return;
		if (!ring_space(&u->input)) {
			u->input_paused = true;
			enable_interrupts(u);
			return;
		}
		ring_put(&u->input, reg_read(u, REG_DATA));
	}
}

/* 8.11: after THRE the transmit FIFO takes 16 bytes. */
static void transmit(struct uart *u)
{
	uint8_t chunk[UART_FIFO_BYTES];
	uint32_t count = ring_take(&u->output, chunk, sizeof chunk);
	u->transmitting = count > 0;
	if (count)
		u->ports.write_bytes(u->ports.context, REG_DATA, chunk, count);
}

void uart_interrupt(struct uart *u)
{
	for (int round = 0; round < INTERRUPT_ROUNDS; round++) {
		uint8_t identify = reg_read(u, REG_IDENTIFY); /* 8.6, table IV; reading it clears a THRE interrupt */
		if (identify & IDENTIFY_NONE)
			return;
		switch (identify & IDENTIFY_MASK) {
		case IDENTIFY_LINE:
		case IDENTIFY_DATA:
		case IDENTIFY_TIMEOUT:
			receive(u);
			break;
		case IDENTIFY_SPACE:
			transmit(u);
			break;
		case IDENTIFY_MODEM:
			reg_read(u, REG_MODEM_STATUS);
			break;
		}
	}
}

uint32_t uart_write(struct uart *u, const uint8_t *bytes, uint32_t count)
{
	uint32_t taken = 0;
	for (; taken < count; taken++) {
		uint8_t byte = bytes[taken];
		bool expand = byte == '\n' && !u->after_cr;
		if (ring_space(&u->output) < 1u + expand)
			break;
		if (expand)
			ring_put(&u->output, '\r');
		ring_put(&u->output, byte);
		u->after_cr = byte == '\r';
	}
	if (!u->transmitting)
		transmit(u);
	return taken;
}

uint32_t uart_read(struct uart *u, uint8_t *bytes, uint32_t max)
{
	uint32_t taken = ring_take(&u->input, bytes, max);
	if (u->input_paused && ring_space(&u->input) >= u->input.size / 2) {
		u->input_paused = false;
		receive(u);
		enable_interrupts(u);
	}
	return taken;
}

bool uart_is_drained(struct uart *u)
{
	return !ring_fill(&u->output) && (reg_read(u, REG_LINE_STATUS) & STATUS_EMPTY);
}
