/* SPDX-License-Identifier: BSD-2-Clause */
/* pager.c - VMOs whose pages a user-mode pager supplies: touches, system calls and windows that meet a missing page,
 * taking pages back, a pager that refuses. The program pages for itself. */
#include "check.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/pager_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <string.h>

#define PAGES 16
#define KEY_GOOD 0xabcdef
#define KEY_REFUSES 0xbad

static handle_t source;    /* anonymous VMO, committed: where the pages come from */
static uint64_t *pages;    /* the same, mapped */
static handle_t memory;    /* the pager VMO */
static volatile uint32_t asked; /* written by the pager, in the middle of a load */
static volatile bool read_only;

static err_t supply(struct kit_call *call, uint64_t key, uint64_t offset, uint32_t access)
{
	(void)call;
	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	if (key != KEY_GOOD || (read_only && (access & RIGHT_WRITE)))
		return ERR_IO;
	return lintel_vmo_supply(memory, offset, source, offset, PAGE_SIZE,
				 read_only ? RIGHT_READ : RIGHT_READ | RIGHT_WRITE);
}

static const struct pager_ops ops = { .fault = supply };

static err_t dispatch(struct kit_call *call)
{
	if (call->in.word[0] >> 16 == PAGER_INTERFACE)
		return pager_dispatch(&ops, call);
	for (uint64_t i = 0; i < (call->in.window[0].length & ~WINDOW_WRITE); i++)
		call->out.word[0] += ((uint8_t *)call->in.window[0].base)[i];
	return OK;
}

static const struct kit_server server = { "pager test", dispatch, NULL };

static err_t memory_make(uint64_t key, volatile uint64_t **out)
{
	uint64_t address;
	err_t err = lintel_vmo_create_pager(PAGES * PAGE_SIZE, kit_door(), key, &memory);

	if (err == OK)
		err = lintel_space_map(lintel_process(), memory, 0, PAGES * PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &address);
	if (err == OK)
		*out = (volatile uint64_t *)(uintptr_t)address;
	asked = 0;
	return err;
}

static void memory_drop(volatile uint64_t *at)
{
	if (lintel_space_unmap(lintel_process(), (uintptr_t)at, PAGES * PAGE_SIZE) != OK ||
	    lintel_handle_close(memory) != OK)
		check_fail("the VMO does not go");
}

static void a_touch_asks_once_and_reaches_the_source(void)
{
	volatile uint64_t *at;

	CHECK_EQUAL(memory_make(KEY_GOOD, &at), OK);
	for (int page = 0; page < PAGES; page++)
		CHECK_EQUAL(at[page * 512], page + 1);
	CHECK_EQUAL(asked, PAGES);
	at[3 * 512 + 1] = 99;
	CHECK_EQUAL(pages[3 * 512 + 1], 99);
	CHECK_EQUAL(asked, PAGES);
	memory_drop(at);
}

static void registers_survive_the_pager(void)
{
	volatile uint64_t *at;
	uint64_t general = 0x1122334455667788, sum;
	double vector = 3.25;

	CHECK_EQUAL(memory_make(KEY_GOOD, &at), OK);
	__asm__ volatile("movq %2, %%r12\n\tmovq %2, %%r9\n\tmovq %3, %%xmm7\n\t"
			 "movq (%4), %%rax\n\t" /* faults */
			 "movq %%xmm7, %1\n\tmovq %%r12, %0\n\taddq %%r9, %0\n\taddq %%rax, %0"
			 : "=&r"(sum), "=&r"(general)
			 : "r"(general), "x"(vector), "r"(&at[5 * 512])
			 : "rax", "r12", "r9", "xmm7", "cc", "memory");
	CHECK_EQUAL(sum, 0x1122334455667788ull * 2 + 6);
	CHECK(memcmp(&general, &vector, 8) == 0);
	memory_drop(at);
}

static void a_system_call_meets_a_missing_page(void)
{
	volatile uint64_t *at;
	uint64_t value = 0;

	CHECK_EQUAL(memory_make(KEY_GOOD, &at), OK);
	CHECK_EQUAL(lintel_vmo_read(source, 7 * PAGE_SIZE, (void *)&at[2 * 512], 8), OK);
	CHECK_EQUAL(at[2 * 512], 8);
	CHECK_EQUAL(asked, 1);
	CHECK_EQUAL(lintel_vmo_write(source, 8 * PAGE_SIZE + 8, (const void *)&at[9 * 512], 8), OK);
	CHECK_EQUAL(asked, 2);
	value = pages[8 * 512 + 1];
	CHECK_EQUAL(value, 10);
	pages[2 * 512] = 3;
	memory_drop(at);
}

static void a_window_meets_missing_pages(void)
{
	struct door_message message = { .word = { 1 } };
	volatile uint64_t *at;

	CHECK_EQUAL(memory_make(KEY_GOOD, &at), OK);
	message.window[0] = (struct door_window){ (void *)&at[10 * 512], 2 * PAGE_SIZE };
	CHECK_EQUAL(door_call(kit_door(), 0, &message), OK);
	CHECK_EQUAL(message.word[0], 11 + 12);
	CHECK_EQUAL(asked, 2);
	memory_drop(at);
}

static void pages_can_be_taken_back(void)
{
	volatile uint64_t *at;

	CHECK_EQUAL(memory_make(KEY_GOOD, &at), OK);
	CHECK_EQUAL(at[0], 1);
	CHECK_EQUAL(at[512], 2);
	CHECK_EQUAL(lintel_vmo_revoke(memory, 0, PAGE_SIZE), OK);
	CHECK_EQUAL(at[512], 2);
	CHECK_EQUAL(asked, 2);
	CHECK_EQUAL(at[0], 1);
	CHECK_EQUAL(asked, 3);
	memory_drop(at);
}

static void a_store_asks_again_for_a_page_that_may_only_be_read(void)
{
	volatile uint64_t *at;

	CHECK_EQUAL(memory_make(KEY_GOOD, &at), OK);
	read_only = true;
	CHECK_EQUAL(at[4 * 512], 5);
	read_only = false;
	at[4 * 512] = 5;
	CHECK_EQUAL(asked, 2);
	memory_drop(at);
}

static void a_pager_that_refuses(void)
{
	volatile uint64_t *at;
	struct door_message message = { .word = { 1 } };

	CHECK_EQUAL(memory_make(KEY_REFUSES, &at), OK);
	CHECK_EQUAL(lintel_vmo_read(source, 0, (void *)&at[0], 8), ERR_FAULT);
	message.window[0] = (struct door_window){ (void *)&at[0], 8 };
	CHECK_EQUAL(door_call(kit_door(), 0, &message), ERR_FAULT);
	CHECK_EQUAL(asked, 2);
	memory_drop(at);
}

static void *housekeeper(void *argument)
{
	(void)argument;
	kit_main(&server);
	return NULL;
}

static err_t source_make(void)
{
	uint64_t address;
	err_t err = lintel_vmo_create(PAGES * PAGE_SIZE, 0, &source);

	if (err == OK)
		err = lintel_space_map(lintel_process(), source, 0, PAGES * PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &address);
	if (err != OK)
		return err;
	pages = (uint64_t *)(uintptr_t)address;
	for (uint64_t page = 0; page < PAGES; page++)
		pages[page * 512] = page + 1;
	return OK;
}

int main(void)
{
	pthread_t keeper;

	if (kit_prepare(&server) != OK || source_make() != OK || pthread_create(&keeper, NULL, housekeeper, NULL) != 0) {
		printf("not ok pager: cannot serve\n");
		return 1;
	}
	CHECK_RUN(a_touch_asks_once_and_reaches_the_source);
	CHECK_RUN(registers_survive_the_pager);
	CHECK_RUN(a_system_call_meets_a_missing_page);
	CHECK_RUN(a_window_meets_missing_pages);
	CHECK_RUN(pages_can_be_taken_back);
	CHECK_RUN(a_store_asks_again_for_a_page_that_may_only_be_read);
	CHECK_RUN(a_pager_that_refuses);
	return check.failed;
}
