/* SPDX-License-Identifier: BSD-2-Clause */
/* code.c - the instructions that were translated, each once, however often QEMU translates it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "meter.h"

#define BUCKETS (1u << 16)
#define HOST_PAGE_SHIFT 12

static struct code *buckets[BUCKETS]; /* [table_lock] */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static struct code **bucket_of(uint64_t address, uint64_t host)
{
	uint64_t mixed = (address ^ host << 7) * 0x9e3779b97f4a7c15u;
	return &buckets[mixed >> 48 & (BUCKETS - 1)];
}

static struct code *code_new(struct qemu_plugin_insn *insn, uint64_t address, uint64_t host)
{
	struct code *code = calloc(1, sizeof *code);
	size_t size = qemu_plugin_insn_size(insn);
	if (!code)
		return NULL;
	code->address = address;
	code->host = host;
	code->low = UINT64_MAX;
	code->size = (unsigned char)(size < CODE_BYTES_MAX ? size : CODE_BYTES_MAX);
	memcpy(code->bytes, qemu_plugin_insn_data(insn), code->size);
	return code;
}

/* Code that has changed at its place (a page with another program now) is another instruction. */
static bool is_same(const struct code *code, struct qemu_plugin_insn *insn, uint64_t address, uint64_t host)
{
	return code->address == address && code->host == host && code->size == qemu_plugin_insn_size(insn) &&
		!memcmp(code->bytes, qemu_plugin_insn_data(insn), code->size);
}

struct code *code_intern(struct qemu_plugin_insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn), host = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(insn);
	struct code **bucket = bucket_of(address, host), *code;
	pthread_mutex_lock(&table_lock);
	for (code = *bucket; code && !is_same(code, insn, address, host);)
		code = code->next;
	if (!code) {
		code = code_new(insn, address, host);
		if (code) {
			code->next = *bucket;
			*bucket = code;
		}
	}
	pthread_mutex_unlock(&table_lock);
	return code;
}

void code_each(void (*visit)(struct code *code, void *data), void *data)
{
	pthread_mutex_lock(&table_lock);
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct code *code = buckets[i]; code; code = code->next)
			visit(code, data);
	}
	pthread_mutex_unlock(&table_lock);
}

void code_print(FILE *out, const struct code *code)
{
	fprintf(out, " %" PRIx64 " %" PRIx64 " ", code->address, code->host >> HOST_PAGE_SHIFT);
	for (unsigned i = 0; i < code->size; i++)
		fprintf(out, "%02x", code->bytes[i]);
}
