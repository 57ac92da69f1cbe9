/* SPDX-License-Identifier: GPL-2.0-only */
/* log.c - one line at a time into a ring in memory (log_ring, for a debugger and for log_read), and to the serial port
 * while that is the kernel's.
 * Lines of different CPUs do not mix. A panic goes around the lock: its holder may have been stopped.
 *
 * I1  log_position - RING_BYTES <= what is kept < log_position.
 * I2  shown <= log_position; equal while no process owns the UART, but while log_take_back() catches up. */
#include "kernel/log.h"

#include "kernel/arch.h"
#include "kernel/panic.h"
#include <lintel/info.h>

#define LINE_BYTES LOG_READ_MAX
#define RING_BYTES 32768u
#define REFUSALS_PER_SECOND 20
#define NS_PER_SECOND 1000000000ul
#define NOBODY 0 /* no process: the kernel itself */

static struct spinlock log_lock = SPINLOCK_INIT(LOCK_RANK_LOG);
extern char log_ring[RING_BYTES];
extern uint64_t log_position;
char log_ring[RING_BYTES];  /* [log_lock] */
uint64_t log_position;      /* [log_lock] bytes ever written; the next goes to log_position % RING_BYTES */
static uint64_t shown;      /* [log_lock] bytes before it are on the UART, or were given to its owner */
static uint32_t owner;      /* [log_lock] pid of the process that writes to the UART, or NOBODY */
static uint64_t refusal_second; /* [a] the second that refusals are being counted in */
static uint32_t refusals;       /* [a] in it */

void log_init(void)
{
	log_position = shown = 0;
}

static void ring_put(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		log_ring[(log_position + i) % RING_BYTES] = text[i];
	__atomic_store_n(&log_position, log_position + bytes, __ATOMIC_RELEASE);
}

/* ---- whose the UART is ---- */

/* The oldest byte that is kept and begins a line, or `position` if that is younger. */
static uint64_t kept_from(uint64_t position)
{
	uint64_t oldest = log_position > RING_BYTES ? log_position - RING_BYTES : 0;

	if (position >= oldest)
		return position;
	while (oldest < log_position && log_ring[oldest % RING_BYTES] != '\n')
		oldest++;
	return oldest < log_position ? oldest + 1 : oldest;
}

/* Up to one line of what is not shown to the UART; false if there is none. */
static bool show_some(void)
{
	char line[LINE_BYTES];
	size_t bytes = 0;

	shown = kept_from(shown);
	while (shown < log_position && bytes < sizeof(line)) {
		line[bytes++] = log_ring[shown++ % RING_BYTES];
		if (line[bytes - 1] == '\n')
			break;
	}
	arch_log_write(line, bytes);
	return bytes > 0;
}

void log_hand_over(uint32_t pid)
{
	uint64_t interrupts = spin_lock_irq(&log_lock);

	owner = pid;
	spin_unlock_irq(&log_lock, interrupts);
}

void log_take_back(void)
{
	bool more = true;
	uint64_t interrupts = spin_lock_irq(&log_lock);

	if (owner != NOBODY && shown < log_position)
		arch_log_write("\n", 1); /* wherever the owner's cursor was */
	spin_unlock_irq(&log_lock, interrupts);
	while (more) { /* a line at a time: interrupts are off meanwhile */
		interrupts = spin_lock_irq(&log_lock);
		more = show_some();
		if (!more)
			owner = NOBODY;
		spin_unlock_irq(&log_lock, interrupts);
	}
}

void log_shown(uint32_t pid, uint64_t position)
{
	uint64_t interrupts = spin_lock_irq(&log_lock);

	if (owner == pid && position > shown && position <= log_position)
		shown = position;
	spin_unlock_irq(&log_lock, interrupts);
}

uint64_t log_end(void)
{
	return __atomic_load_n(&log_position, __ATOMIC_ACQUIRE);
}

void log_copy(uint64_t *position, char *text, size_t max, size_t *bytes, uint64_t *next)
{
	uint64_t interrupts = spin_lock_irq(&log_lock);

	if (*position == LOG_UNSHOWN)
		*position = shown;
	*position = *next = kept_from(*position);
	for (*bytes = 0; *next < log_position && *bytes < max; (*next)++)
		text[(*bytes)++] = log_ring[*next % RING_BYTES];
	spin_unlock_irq(&log_lock, interrupts);
}

/* ---- writing ---- */

static void write(const char *text, size_t bytes)
{
	ring_put(text, bytes);
	if (owner != NOBODY)
		return;
	shown += bytes;
	arch_log_write(text, bytes);
}

/* Without the lock, to the UART, whosever it is. */
static void write_panic(const char *text, size_t bytes)
{
	ring_put(text, bytes);
	arch_log_write(text, bytes);
}

void log_panic_begin(void)
{
	if (owner == NOBODY)
		return;
	arch_log_write("\n", 1);
	while (show_some())
		;
}

void log_raw(const char *text)
{
	size_t bytes = 0;

	while (text[bytes])
		bytes++;
	write_panic(text, bytes);
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
	log_readers_remind();
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
	write_panic(line, bytes);
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
