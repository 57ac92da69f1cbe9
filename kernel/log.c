/* SPDX-License-Identifier: GPL-2.0-only */
/* log.c - one line at a time to the serial port and to a ring in memory (log_ring, for a debugger).
 * Lines of different CPUs do not mix. A panic goes around the lock: its holder may have been stopped. */
#include "kernel/log.h"

#include "kernel/arch.h"
#include "kernel/panic.h"

#define LINE_BYTES 512
#define RING_BYTES 32768u
#define REFUSALS_PER_SECOND 20
#define NS_PER_SECOND 1000000000ul

static struct spinlock log_lock = SPINLOCK_INIT(LOCK_RANK_LOG);
extern char log_ring[RING_BYTES];
extern uint64_t log_position;
char log_ring[RING_BYTES];  /* [log_lock] */
uint64_t log_position;      /* [log_lock] bytes ever written; the next goes to log_position % RING_BYTES */
static uint64_t refusal_second; /* [a] the second that refusals are being counted in */
static uint32_t refusals;       /* [a] in it */

void log_init(void)
{
	log_position = 0;
}

static void write(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		log_ring[log_position++ % RING_BYTES] = text[i];
	arch_log_write(text, bytes);
}

void log_raw(const char *text)
{
	size_t bytes = 0;

	while (text[bytes])
		bytes++;
	write(text, bytes);
}

/* The line with its time and newline; longer ones are cut. */
static size_t line_make(char *line, const char *format, __builtin_va_list arguments)
{
	uint64_t now = arch_clock_ns();
	int used = format_text(line, LINE_BYTES - 1, "[%4lu.%06lu] ", now / NS_PER_SECOND, now / 1000 % 1000000);

	used += format_vtext(line + used, LINE_BYTES - 1 - (size_t)used, format, arguments);
	line[used++] = '\n';
	return (size_t)used;
}

void log_vline(const char *format, __builtin_va_list arguments)
{
	char line[LINE_BYTES];
	size_t bytes = line_make(line, format, arguments);
	uint64_t interrupts;

	if (panic_is_on())
		return; /* only the panic speaks */
	interrupts = spin_lock_irq(&log_lock);
	write(line, bytes);
	spin_unlock_irq(&log_lock, interrupts);
}

void log_line(const char *format, ...)
{
	__builtin_va_list arguments;

	__builtin_va_start(arguments, format);
	log_vline(format, arguments);
	__builtin_va_end(arguments);
}

void log_panic(const char *format, ...)
{
	char line[LINE_BYTES];
	__builtin_va_list arguments;
	size_t bytes;

	__builtin_va_start(arguments, format);
	bytes = line_make(line, format, arguments);
	__builtin_va_end(arguments);
	write(line, bytes);
}

/* At most REFUSALS_PER_SECOND lines; what is beyond that is counted and told with the next one. */
bool log_refusal_allowed(uint32_t *dropped)
{
	uint64_t second = arch_clock_ns() / NS_PER_SECOND;
	uint32_t before;

	*dropped = 0;
	if (__atomic_exchange_n(&refusal_second, second, __ATOMIC_RELAXED) != second) {
		before = __atomic_exchange_n(&refusals, 0, __ATOMIC_RELAXED);
		if (before > REFUSALS_PER_SECOND)
			*dropped = before - REFUSALS_PER_SECOND;
	}
	return __atomic_add_fetch(&refusals, 1, __ATOMIC_RELAXED) <= REFUSALS_PER_SECOND;
}
