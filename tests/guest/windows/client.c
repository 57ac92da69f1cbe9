/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c - this program's own door: the child announces itself there, and pages are asked for. */
#include "../child.h"
#include "windows.h"

#include <lintel/pager_server.h>

#define KEY 3

enum pager_mood pager_mood;
uint32_t pager_asked;
static handle_t announced;
static handle_t source, paged;
static uint64_t paged_bytes;

static err_t supply(struct kit_call *call, uint64_t key, uint64_t offset, uint32_t access)
{
	(void)call;
	(void)access;
	__atomic_add_fetch(&pager_asked, 1, __ATOMIC_SEQ_CST);
	while (pager_mood == PAGER_HANGS)
		pause_ns(1000000);
	if (pager_mood == PAGER_REFUSES || key != KEY)
		return ERR_IO;
	err_t err = lintel_vmo_supply(paged, offset, source, offset, PAGE_SIZE, RIGHT_READ | RIGHT_WRITE);
	return err == ERR_EXISTS ? OK : err;
}

static const struct pager_ops pager = { .fault = supply };

static err_t dispatch(struct kit_call *call)
{
	if (call->in.word[0] >> 16 == PAGER_INTERFACE)
		return pager_dispatch(&pager, call);
	__atomic_store_n(&announced, call->in.handle[0], __ATOMIC_RELEASE);
	return OK;
}

static const struct kit_server server = { "windows client", dispatch, NULL };

err_t client_prepare(void)
{
	return house_begin(&server);
}

err_t child_start(handle_t *process, handle_t *door)
{
	err_t err = child_serves("/boot/bin/windows", &announced, process);

	*door = announced;
	return err;
}

err_t paged_create(uint64_t bytes, handle_t *out)
{
	const uint64_t good = GOOD;
	err_t err = OK;

	if (source == HANDLE_NONE)
		err = lintel_vmo_create(bytes, 0, &source);
	for (uint64_t at = 0; err == OK && at < bytes; at += PAGE_SIZE)
		err = lintel_vmo_write(source, at, &good, sizeof(good));
	if (err == OK)
		err = lintel_vmo_create_pager(bytes, kit_door(), KEY, &paged);
	paged_bytes = bytes;
	*out = paged;
	return err;
}

err_t paged_take_back(void)
{
	return lintel_vmo_revoke(paged, 0, paged_bytes);
}
