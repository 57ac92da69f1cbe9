/* SPDX-License-Identifier: BSD-2-Clause */
/* test_uart.c - the console's UART state machine against a model of a PC16550D: registers,
 * FIFOs, interrupt causes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "console/uart.h"

struct model {
	bool absent, no_fifo;
	uint8_t ier, lcr, mcr, scratch, divisor_low, divisor_high;
	bool fifo_on, thre_pending;
	uint8_t receive[UART_FIFO_BYTES];
	uint32_t receive_count;
	bool overrun;
	uint32_t transmit_count; /* in the FIFO, not yet on the line */
	char line[8192];         /* what left the device */
	uint32_t line_bytes;
	uint8_t fifo[UART_FIFO_BYTES];
	bool overfilled;
};

static uint8_t model_identify(struct model *m)
{
	uint8_t fifos = m->fifo_on && !m->no_fifo ? 0xc0 : 0;
	if ((m->ier & 4) && m->overrun)
		return fifos | 6;
	if ((m->ier & 1) && m->receive_count)
		return fifos | (m->receive_count >= 8 ? 4 : 0xc);
	if ((m->ier & 2) && m->thre_pending) {
		m->thre_pending = false;
		return fifos | 2;
	}
	return fifos | 1;
}

static uint8_t model_read(void *context, unsigned reg)
{
	struct model *m = context;
	if (m->absent)
		return 0xff;
	uint8_t value = 0;
	switch (reg) {
	case 0:
		if (m->receive_count) {
			value = m->receive[0];
			memmove(m->receive, m->receive + 1, --m->receive_count);
		}
		return value;
	case 1: return m->ier;
	case 2: return model_identify(m);
	case 3: return m->lcr;
	case 4: return m->mcr;
	case 5:
		value = (m->receive_count ? 1 : 0) | (m->overrun ? 2 : 0) | (m->transmit_count ? 0 : 0x60);
		m->overrun = false;
		return value;
	case 7: return m->scratch;
	}
	return 0;
}

static void model_write(void *context, unsigned reg, uint8_t value)
{
	struct model *m = context;
	bool dlab = m->lcr & 0x80;
	switch (reg) {
	case 0:
		if (dlab) {
			m->divisor_low = value;
		} else if (m->transmit_count < UART_FIFO_BYTES) {
			m->fifo[m->transmit_count++] = value;
		} else {
			m->overfilled = true;
		}
		break;
	case 1:
		if (dlab)
			m->divisor_high = value;
		else
			m->ier = value;
		break;
	case 2: m->fifo_on = value & 1; break;
	case 3: m->lcr = value; break;
	case 4: m->mcr = value; break;
	case 7: m->scratch = value; break;
	}
}

static void model_write_bytes(void *context, unsigned reg, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		model_write(context, reg, bytes[i]);
}

/* The line drains: the FIFO's bytes leave, THRE comes up. */
static void model_drain(struct model *m)
{
	memcpy(m->line + m->line_bytes, m->fifo, m->transmit_count);
	m->line_bytes += m->transmit_count;
	m->transmit_count = 0;
	m->thre_pending = true;
}

/* One byte arrives. */
static void model_arrive(struct model *m, uint8_t byte)
{
	if (m->receive_count == UART_FIFO_BYTES)
		m->overrun = true;
	else
		m->receive[m->receive_count++] = byte;
}

static uint8_t input_bytes[64], output_bytes[128];

static err_t start(struct uart *u, struct model *m)
{
	struct uart_ports ports = { model_read, model_write, model_write_bytes, m };
	return uart_init(u, &ports, input_bytes, sizeof input_bytes, output_bytes, sizeof output_bytes);
}

static void initialise_and_detect(void **state)
{
	(void)state;
	struct uart u;
	struct model m = { 0 };
	assert_int_equal(start(&u, &m), OK);
	assert_int_equal(m.lcr, 3);
	assert_int_equal(m.ier, 7);
	assert_int_equal(m.mcr, 0xb);
	assert_int_equal(m.divisor_low, 1);
	assert_int_equal(m.divisor_high, 0);
	assert_true(m.fifo_on);
	struct model absent = { .absent = true }, old = { .no_fifo = true };
	assert_int_equal(start(&u, &absent), ERR_NOT_FOUND);
	assert_int_equal(start(&u, &old), ERR_UNSUPPORTED);
}

static void write_with_line_ends(void **state)
{
	(void)state;
	struct uart u;
	struct model m = { 0 };
	assert_int_equal(start(&u, &m), OK);
	static const char text[] = "one\ntwo\r\nthree, longer than a FIFO\n";
	assert_int_equal(uart_write(&u, (const uint8_t *)text, strlen(text)), strlen(text));
	assert_false(uart_is_drained(&u));
	for (int i = 0; i < 5; i++) {
		model_drain(&m);
		uart_interrupt(&u);
	}
	assert_true(uart_is_drained(&u));
	assert_false(m.overfilled);
	m.line[m.line_bytes] = '\0';
	assert_string_equal(m.line, "one\r\ntwo\r\nthree, longer than a FIFO\r\n");
}

static void push_back_when_full(void **state)
{
	(void)state;
	struct uart u;
	struct model m = { 0 };
	assert_int_equal(start(&u, &m), OK);
	uint8_t text[1000];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)('a' + i % 26);
	uint32_t sent = uart_write(&u, text, sizeof text);
	assert_int_equal(sent, sizeof output_bytes);
	while (sent < sizeof text) {
		model_drain(&m);
		uart_interrupt(&u);
		sent += uart_write(&u, text + sent, sizeof text - sent);
	}
	for (int i = 0; i < 12; i++) {
		model_drain(&m);
		uart_interrupt(&u);
	}
	assert_false(m.overfilled);
	assert_int_equal(m.line_bytes, sizeof text);
	assert_memory_equal(m.line, text, sizeof text);
}

static void receive_pauses_and_resumes(void **state)
{
	(void)state;
	struct uart u;
	struct model m = { 0 };
	assert_int_equal(start(&u, &m), OK);
	uint8_t next = 0, expect = 0, bytes[64];
	for (int i = 0; i < 80; i++) {
		model_arrive(&m, next++);
		uart_interrupt(&u);
	}
	assert_true(u.input_paused);
	assert_int_equal(m.ier, 2);
	assert_int_equal(m.receive_count, 16);
	assert_int_equal(u.overruns, 0);
	for (uint32_t n; (n = uart_read(&u, bytes, 48));) {
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], expect++);
	}
	assert_int_equal(expect, 80);
	assert_false(u.input_paused);
	assert_int_equal(m.ier, 7);
	for (int i = 0; i < 17; i++)
		model_arrive(&m, 'x');
	uart_interrupt(&u);
	assert_int_equal(u.overruns, 1);
	assert_int_equal(uart_read(&u, bytes, 64), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initialise_and_detect),
		cmocka_unit_test(write_with_line_ends),
		cmocka_unit_test(push_back_when_full),
		cmocka_unit_test(receive_pauses_and_resumes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
