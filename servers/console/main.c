/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - the console server: abi/console.proto on a 16550, and the kernel's log.
 * One thread waits for the interrupt and runs the UART's state machine; one shows the log (log.c); calls run on
 * activations. All meet at `lock`; nothing but port accesses happens under it. Writers wait
 * while the output ring is full, readers while the input ring is empty. A machine without the
 * device: output is discarded, and reading waits for ever. */
#include "console/line.h"
#include "console/log.h"
#include "console/uart.h"

#include <lintel/console_proto.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <string.h>

#include "kit/kit.h"
#include <lintel/console_server.h>

#define COM1_PORT 0x3f8
#define COM1_GSI 4
#define INTERRUPT_AS_FIRMWARE_SAYS 4u
#define INPUT_BYTES 4096
#define OUTPUT_BYTES 16384
#define CHUNK_BYTES 512
#define READ_NO_WAIT 1u
#define DRAIN_POLL_NS 1000000u
#define DRAIN_TRIES 2000

static struct {
	pthread_mutex_t lock;
	pthread_cond_t space;   /* the output ring has room again, or is empty */
	pthread_cond_t arrived; /* the input ring has bytes */
	bool present;           /* [I] */
	handle_t port;          /* [I] port resource */
	handle_t interrupt;     /* [I] */
	struct uart uart;       /* [lock] */
	struct line line;       /* [lock] the terminal's current line */
	bool refused;           /* [lock] a port was, and that was said */
	uint8_t input[INPUT_BYTES];
	uint8_t output[OUTPUT_BYTES];
} console = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.space = PTHREAD_COND_INITIALIZER,
	.arrived = PTHREAD_COND_INITIALIZER,
};

/* ---- Registers: x86 ports through the port resource. A refusal reads as the bus does where
 * nobody answers. ---- */

static uint8_t port_read(void *context, unsigned reg)
{
	uint32_t value;
	(void)context;
	return lintel_port_read(console.port, COM1_PORT + reg, 1, &value) == OK ? (uint8_t)value : 0xff;
}

/* Once: what we log is for us to write. */
static void port_complain(unsigned reg, err_t err)
{
	if (err == OK || console.refused)
		return;
	console.refused = true;
	kit_log("port %x: %s", COM1_PORT + reg, lintel_error_sentence(err));
}

static void port_write(void *context, unsigned reg, uint8_t value)
{
	(void)context;
	port_complain(reg, lintel_port_write(console.port, COM1_PORT + reg, 1, value));
}

static void port_write_bytes(void *context, unsigned reg, const uint8_t *bytes, uint32_t count)
{
	(void)context;
	port_complain(reg, lintel_port_write_bytes(console.port, COM1_PORT + reg, bytes, count));
}

/* ---- The interrupt's thread ---- */

static void serve_interrupt(void)
{
	pthread_mutex_lock(&console.lock);
	uint32_t input_before = ring_fill(&console.uart.input);
	uart_interrupt(&console.uart);
	if (ring_fill(&console.uart.input) != input_before)
		pthread_cond_broadcast(&console.arrived);
	if (ring_space(&console.uart.output) >= OUTPUT_BYTES / 2)
		pthread_cond_broadcast(&console.space);
	pthread_mutex_unlock(&console.lock);
}

/* Acknowledge before serving: an edge that comes meanwhile is kept and wakes us again. */
static void *wait_for_interrupts(void *unused)
{
	(void)unused;
	for (;;) {
		uint32_t seen;
		err_t err = lintel_object_wait(console.interrupt, SIGNAL_INTERRUPT, DEADLINE_NEVER, &seen);
		if (err == OK)
			err = lintel_interrupt_acknowledge(console.interrupt);
		if (err != OK) {
			kit_log("the interrupt: %s", lintel_error_sentence(err));
			return NULL;
		}
		serve_interrupt();
	}
}

/* ---- Output; the lock is held ---- */

/* Queue what there is room for, and remember what the line looks like. */
static uint32_t write_some(const uint8_t *bytes, uint32_t count)
{
	uint32_t taken = uart_write(&console.uart, bytes, count);
	for (uint32_t i = 0; i < taken; i++)
		line_add(&console.line, bytes[i]);
	return taken;
}

static void write_all(const uint8_t *bytes, uint32_t count)
{
	for (uint32_t sent = 0; (sent += write_some(bytes + sent, count - sent)) < count;)
		pthread_cond_wait(&console.space, &console.lock);
}

/* ---- The kernel's log ---- */

static bool at_line_start(void)
{
	pthread_mutex_lock(&console.lock);
	bool empty = line_is_empty(&console.line);
	pthread_mutex_unlock(&console.lock);
	return empty;
}

/* In one piece: the wait for room is before it, so that nobody's output comes between. */
static void show_log(const uint8_t *lines, uint32_t bytes)
{
	pthread_mutex_lock(&console.lock);
	while (ring_space(&console.uart.output) < 2 * (bytes + LINE_BYTES_MAX + 1))
		pthread_cond_wait(&console.space, &console.lock);
	struct line before = console.line;
	if (!line_is_empty(&before))
		write_all((const uint8_t *)"\n", 1);
	write_all(lines, bytes);
	if (line_is_whole(&before))
		write_all(before.bytes, before.count);
	pthread_mutex_unlock(&console.lock);
}

static const struct log_sink log_sink = { .at_line_start = at_line_start, .show = show_log };

/* ---- Messages ---- */

static err_t console_write(struct kit_call *call, const void *data, size_t data_bytes, uint64_t *done)
{
	uint8_t chunk[CHUNK_BYTES];
	const uint8_t *from = data;
	size_t left = console.present ? data_bytes : 0;
	(void)call;
	while (left) {
		uint32_t count = left < sizeof chunk ? (uint32_t)left : sizeof chunk;
		memcpy(chunk, from, count); /* the caller can change its buffer, and may fault in it: not under the lock */
		pthread_mutex_lock(&console.lock);
		write_all(chunk, count);
		pthread_mutex_unlock(&console.lock);
		from += count;
		left -= count;
	}
	*done = data_bytes;
	return OK;
}

static err_t console_read(struct kit_call *call, uint32_t flags, void *data, size_t data_bytes, uint64_t *done)
{
	uint8_t chunk[CHUNK_BYTES];
	uint32_t max = data_bytes < sizeof chunk ? (uint32_t)data_bytes : sizeof chunk;
	uint32_t count = 0;
	(void)call;
	*done = 0;
	if (!max)
		return OK;
	pthread_mutex_lock(&console.lock);
	for (;;) {
		if (console.present)
			count = uart_read(&console.uart, chunk, max);
		if (count || (flags & READ_NO_WAIT))
			break;
		pthread_cond_wait(&console.arrived, &console.lock);
	}
	pthread_mutex_unlock(&console.lock);
	if (!count)
		return ERR_AGAIN;
	memcpy(data, chunk, count);
	*done = count;
	return OK;
}

static err_t console_drain(struct kit_call *call)
{
	(void)call;
	for (int i = 0; console.present && i < DRAIN_TRIES; i++) {
		bool drained = log_is_shown();
		pthread_mutex_lock(&console.lock);
		drained = drained && uart_is_drained(&console.uart);
		pthread_mutex_unlock(&console.lock);
		if (drained)
			return OK;
		err_t err = lintel_thread_sleep(lintel_clock_ns() + DRAIN_POLL_NS);
		if (err != OK)
			return ERR_IO;
	}
	return console.present ? ERR_IO : OK;
}

static const struct console_ops ops = {
	.write = console_write,
	.read = console_read,
	.drain = console_drain,
};

static err_t dispatch(struct kit_call *call)
{
	return console_dispatch(&ops, call);
}

static const struct kit_server server = { .name = "console", .dispatch = dispatch };

/* ---- Start ---- */

static err_t open_device(void)
{
	const struct uart_ports ports = { port_read, port_write, port_write_bytes, NULL };
	console.port = lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_PORT, 0);
	handle_t irq = lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_IRQ, 0);
	if (console.port == HANDLE_NONE || irq == HANDLE_NONE)
		return ERR_DENIED;
	err_t err = lintel_interrupt_create(irq, COM1_GSI, INTERRUPT_AS_FIRMWARE_SAYS, &console.interrupt);
	if (err != OK)
		return err;
	pthread_mutex_lock(&console.lock);
	err = uart_init(&console.uart, &ports, console.input, INPUT_BYTES, console.output, OUTPUT_BYTES);
	pthread_mutex_unlock(&console.lock);
	if (err != OK)
		lintel_handle_close(console.interrupt); /* the port is the kernel's again */
	return err;
}

static err_t start_threads(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, wait_for_interrupts, NULL))
		return ERR_NO_MEMORY;
	return log_start(&log_sink);
}

int main(void)
{
	err_t err = kit_prepare(&server);
	if (err == OK)
		err = open_device();
	console.present = err == OK;
	if (err == ERR_NOT_FOUND)
		kit_log("there is no UART at port %x: output is discarded", COM1_PORT);
	else if (err != OK)
		kit_log("the UART at port %x cannot be used, output is discarded: %s", COM1_PORT, lintel_error_sentence(err));
	err = console.present ? start_threads() : OK;
	if (err != OK) {
		kit_log("cannot start: %s", lintel_error_sentence(err));
		return 1;
	}
	return kit_main(&server);
}
