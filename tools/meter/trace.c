/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c - all that happens to a range of RAM which is a file on this machine (the NVDIMM): stores with their values,
 * non-temporal ones marked, write-backs, fences; and the guest's own marks (tests/cold/mark.h). In the order in which
 * they happen: QEMU has to run all virtual CPUs on one thread (tcg,thread=single).
 * base= and bytes= as in stores.c; memory= is the file that the RAM is made of; out= gets what trace.h says.
 *
 * A value is read from the file behind the store: callbacks come after the access. An address that is written back
 * comes from the instruction's own operand and the guest's registers: emulated, CLWB and CLFLUSH access nothing, so
 * that no callback tells it. QEMU 7.2 gives a plugin no registers; but while translated code runs, the host's RBP
 * points to them, and they are all there when each block is one instruction (-singlestep). That is true of TCG on
 * x86-64 hosts only, and no promise of QEMU's. So it is checked, all the time: the operands of non-temporal stores are
 * computed in the same way, and have to be where the store then goes. If one is not, the trace says so, and is worth
 * nothing. The same address in another address space is another place: CR3, which lies behind the registers, tells
 * spaces apart; a space has one root page for each CPU, so one virtual CPU is best.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "meter.h"
#include "trace.h"

#define REGISTERS 16
#define CR3_WORD (448 / 8)  /* struct CPUArchState of QEMU's target/i386: regs[16] first, cr[3] there */
#define SPACES_BITS 20
#define ORDER(x) (((x) * 0x9e3779b97f4a7c15u) >> (64 - SPACES_BITS))

/* Where a page of some address space lies in the range. */
struct seen_page {
	uint64_t space; /* its root page + 1; 0: nobody */
	uint64_t page;
	uint64_t at;
};

static struct {
	uint64_t base, bytes;
	const char *path;
	const uint8_t *file;
	struct trace_end end;
	uint64_t space[CPUS_MAX];     /* of the instruction that is being executed */
	uint64_t expected[CPUS_MAX];  /* where its non-temporal store goes; 0: it has none */
	struct seen_page page[1u << SPACES_BITS];
} trace;

enum what { WHAT_ELSE, WHAT_STORE_NT, WHAT_WRITE_BACK, WHAT_FENCE, WHAT_MARK };

/* An instruction, decoded: Intel SDM volume 2, 2.1 and 2.3. */
struct decoded {
	enum what what;
	unsigned mark;   /* worker */
	int base, index; /* registers; -1: none */
	unsigned scale;
	int64_t offset;
	uint64_t next;   /* address of the instruction behind it, where the operand is relative to that; else 0 */
};

static bool set(const char *name, const char *value)
{
	char *end;
	if (!strcmp(name, "memory")) {
		trace.path = strdup(value);
		return trace.path != NULL;
	}
	uint64_t number = strtoull(value, &end, 0);
	if (*end || end == value)
		return false;
	if (!strcmp(name, "base"))
		trace.base = number;
	else if (!strcmp(name, "bytes"))
		trace.bytes = number;
	else
		return false;
	return true;
}

static bool start(void)
{
	return trace.bytes != 0 && trace.path != NULL;
}

/* QEMU has made it, if it was not there, by the first store. */
static void file_map(void)
{
	int file = open(trace.path, O_RDONLY);
	void *at = file < 0 ? MAP_FAILED : mmap(NULL, trace.bytes, PROT_READ, MAP_SHARED, file, 0);
	if (at == MAP_FAILED) {
		perror(trace.path);
		exit(1);
	}
	close(file);
	trace.file = at;
}

static void put(FILE *out, const struct trace_event *event)
{
	if (fwrite(event, sizeof *event, 1, out) != 1) {
		perror("meter: the trace cannot be written");
		exit(1);
	}
}

/* --- instructions --- */

static void decode_operand(struct decoded *d, const unsigned char *modrm, unsigned rex_x, unsigned rex_b)
{
	unsigned mod = modrm[0] >> 6, rm = modrm[0] & 7;
	const unsigned char *more = modrm + 1;
	int32_t wide;
	d->base = (int)(rm | rex_b << 3);
	d->index = -1;
	if (rm == 4) {
		unsigned index = (more[0] >> 3 & 7) | rex_x << 3, base = more[0] & 7;
		d->scale = more[0] >> 6;
		d->index = index == 4 ? -1 : (int)index;
		d->base = base == 5 && mod == 0 ? -1 : (int)(base | rex_b << 3);
		more++;
	}
	bool relative = rm == 5 && mod == 0;
	if (relative)
		d->base = -1;
	if (mod == 1) {
		d->offset = (signed char)more[0];
	} else if (mod == 2 || relative || (d->base < 0 && rm == 4)) {
		memcpy(&wide, more, sizeof wide);
		d->offset = wide;
	}
	if (!relative)
		d->next = 0;
}

static enum what what_of(unsigned opcode, bool operand_size, const unsigned char *modrm)
{
	bool memory = modrm[0] >> 6 != 3;
	unsigned extension = modrm[0] >> 3 & 7;
	switch (opcode) {
	case 0xe7: case 0xc3: case 0x2b: /* MOVNTDQ, MOVNTQ; MOVNTI; MOVNTPS, MOVNTPD; and with VEX */
		return memory ? WHAT_STORE_NT : WHAT_ELSE;
	case 0xae:
		if (!memory)
			return extension >= 6 ? WHAT_FENCE : WHAT_ELSE; /* MFENCE, SFENCE */
		return extension == 7 || (extension == 6 && operand_size) ? WHAT_WRITE_BACK : WHAT_ELSE;
	default:
		return WHAT_ELSE;
	}
}

static struct decoded decode(const struct code *code)
{
	struct decoded d = { .what = WHAT_ELSE, .next = code->address + code->size };
	unsigned char bytes[2 * CODE_BYTES_MAX] = { 0 };
	unsigned at = 0, rex_x = 0, rex_b = 0;
	bool operand_size = false, wide = false; /* opcodes of two bytes */
	memcpy(bytes, code->bytes, code->size);
	if (code->size == TRACE_MARK_BYTES && !memcmp(bytes, TRACE_MARK_START, 4) &&
		!memcmp(bytes + 5, TRACE_MARK_END, 3)) {
		d.what = WHAT_MARK;
		d.mark = bytes[4];
		return d;
	}
	for (; bytes[at] == 0x66 || bytes[at] == 0xf2 || bytes[at] == 0xf3; at++)
		operand_size |= bytes[at] == 0x66;
	if (bytes[at] >> 4 == 4) {
		rex_x = bytes[at] >> 1 & 1;
		rex_b = bytes[at++] & 1;
	}
	if (bytes[at] == 0xc5) {
		wide = true;
		at += 2;
	} else if (bytes[at] == 0xc4 && (bytes[at + 1] & 0x1f) == 1) {
		rex_x = !(bytes[at + 1] >> 6 & 1);
		rex_b = !(bytes[at + 1] >> 5 & 1);
		wide = true;
		at += 3;
	} else if (bytes[at] == 0x0f) {
		wide = true;
		at++;
	}
	if (wide)
		d.what = what_of(bytes[at], operand_size, bytes + at + 1);
	if (d.what == WHAT_STORE_NT || d.what == WHAT_WRITE_BACK)
		decode_operand(&d, bytes + at + 1, rex_x, rex_b);
	return d;
}

static uint64_t operand_address(const struct decoded *d, const uint64_t *registers)
{
	uint64_t address = d->next + (uint64_t)d->offset;
	address += d->base >= 0 ? registers[d->base] : 0;
	address += d->index >= 0 ? registers[d->index] << d->scale : 0;
	return address;
}

/* --- what happens --- */

static struct seen_page *page_find(uint64_t space, uint64_t page)
{
	uint64_t i = ORDER(space ^ page);
	while (trace.page[i].space && (trace.page[i].space != space + 1 || trace.page[i].page != page))
		i = (i + 1) & ((1u << SPACES_BITS) - 1);
	return &trace.page[i];
}

static void write_back(unsigned cpu, uint64_t address)
{
	const struct seen_page *page = page_find(trace.space[cpu], address >> TRACE_PAGE_SHIFT);
	if (!page->space) { /* nothing was stored to it through this address: what is not written back stays in flight */
		trace.end.unknown++;
		return;
	}
	uint64_t at = page->at + (address & ((1u << TRACE_PAGE_SHIFT) - 1));
	put(meter_out(), &(struct trace_event) { .kind = TRACE_WRITE_BACK, .cpu = (uint8_t)cpu, .at = at });
}

/* Before each instruction; `d`: NULL for those of no interest in themselves. `registers`: where the guest's are. */
void trace_executed(unsigned cpu, const struct decoded *d, const uint64_t *registers);
void trace_executed(unsigned cpu, const struct decoded *d, const uint64_t *registers)
{
	trace.space[cpu] = registers[CR3_WORD] >> TRACE_PAGE_SHIFT; /* below is the PCID, which can become another one */
	trace.expected[cpu] = d && d->what == WHAT_STORE_NT ? operand_address(d, registers) : 0;
	if (!d)
		return;
	pthread_mutex_lock(&meter_lock);
	if (d->what == WHAT_WRITE_BACK)
		write_back(cpu, operand_address(d, registers));
	else if (d->what == WHAT_FENCE)
		put(meter_out(), &(struct trace_event) { .kind = TRACE_FENCE, .cpu = (uint8_t)cpu });
	else if (d->what == WHAT_MARK)
		put(meter_out(), &(struct trace_event) { .kind = TRACE_MARK, .cpu = (uint8_t)cpu, .at = d->mark });
	pthread_mutex_unlock(&meter_lock);
}

/* RBP is the only register of QEMU's that is looked at. */
__asm__(".text\n"
	"trace_execute:\n"
	"\tmov %rbp, %rdx\n"
	"\tjmp trace_executed\n");
void trace_execute(unsigned cpu, void *decoded);

static void check_operand(unsigned cpu, uint64_t address)
{
	if (!trace.expected[cpu])
		return;
	trace.end.checked++;
	trace.end.wrong += address - trace.expected[cpu] >= 64;
}

static void stored(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, address);
	(void)data;
	if (!qemu_plugin_mem_is_store(info) || !where || qemu_plugin_hwaddr_is_io(where))
		return;
	uint64_t at = qemu_plugin_hwaddr_phys_addr(where) - trace.base;
	if (at >= trace.bytes)
		return;
	pthread_mutex_lock(&meter_lock);
	if (!trace.file)
		file_map();
	check_operand(cpu, address);
	struct seen_page *page = page_find(trace.space[cpu], address >> TRACE_PAGE_SHIFT);
	*page = (struct seen_page) { trace.space[cpu] + 1, address >> TRACE_PAGE_SHIFT,
		at & ~(((uint64_t)1 << TRACE_PAGE_SHIFT) - 1) };
	uint64_t left = (uint64_t)1 << qemu_plugin_mem_size_shift(info);
	for (; left && at < trace.bytes; ) {
		uint64_t bytes = left < 8 ? left : 8;
		struct trace_event event = { .kind = trace.expected[cpu] ? TRACE_STORE_NT : TRACE_STORE, .cpu = (uint8_t)cpu,
			.bytes = (uint8_t)bytes, .at = at };
		memcpy(&event.value, trace.file + at, bytes);
		put(meter_out(), &event);
		at += bytes;
		left -= bytes;
	}
	trace.end.stores++;
	pthread_mutex_unlock(&meter_lock);
}

static void translate(struct qemu_plugin_insn *insn, struct code *code)
{
	struct decoded *d = NULL;
	if (decode(code).what != WHAT_ELSE) {
		d = malloc(sizeof *d); /* kept, as QEMU keeps the block */
		if (!d) {
			fprintf(stderr, "meter: out of memory\n");
			exit(1);
		}
		*d = decode(code);
	}
	qemu_plugin_register_vcpu_insn_exec_cb(insn, trace_execute, QEMU_PLUGIN_CB_NO_REGS, d);
	qemu_plugin_register_vcpu_mem_cb(insn, stored, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, code);
}

/* The last event. */
static void report(FILE *out)
{
	struct trace_event event = { .kind = TRACE_END };
	put(out, &event);
	if (fwrite(&trace.end, sizeof trace.end, 1, out) != 1)
		perror("meter: the trace cannot be written");
}

const struct mode trace_mode = {
	.name = "trace", .whole = true, .binary = true, .set = set, .start = start, .translate = translate, .report = report
};
