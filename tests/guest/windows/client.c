/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c - this program's own door: the child announces itself there, and pages are asked for. */
#include "windows.h"

#include <kit/kit.h>
#include <lintel/pager_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>

#define KEY 3

enum pager_mood pager_mood;
uint32_t pager_asked;
static handle_t announced;
static handle_t source, paged;
static uint64_t paged_bytes;

void pause_ns(uint64_t ns)
{
	(void)!lintel_thread_sleep(lintel_clock_ns() + ns);
}

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

static void *housekeeper(void *argument)
{
	(void)argument;
	kit_main(&server);
	return NULL;
}

err_t client_prepare(void)
{
	pthread_t keeper;
	err_t err = kit_prepare(&server);

	if (err == OK && pthread_create(&keeper, NULL, housekeeper, NULL) != 0)
		err = ERR_NO_MEMORY;
	return err;
}

err_t child_start(handle_t *process, handle_t *door)
{
	char program[] = "/boot/bin/windows", role[] = "serve";
	char *argv[] = { program, role, NULL };
	handle_t parent;
	err_t err = kit_mint(1, &parent);

	if (err != OK)
		return err;
	const struct spawn_handle handles[] = { { STARTUP_SERVICE, 0, "parent", parent, RIGHTS_SAME } };
	const struct spawn_request request = { .path = program, .argv = argv, .handles = handles, .handle_count = 1 };

	__atomic_store_n(&announced, HANDLE_NONE, __ATOMIC_RELAXED);
	err = lintel_spawn(&request, process);
	(void)!lintel_handle_close(parent);
	for (int i = 0; err == OK && i < 10000 && __atomic_load_n(&announced, __ATOMIC_ACQUIRE) == HANDLE_NONE; i++)
		pause_ns(1000000);
	*door = announced;
	return err == OK && *door == HANDLE_NONE ? ERR_TIMED_OUT : err;
}

int32_t child_end(handle_t process, handle_t door)
{
	int32_t status = -99;

	(void)!lintel_process_kill(process, 0);
	(void)!lintel_wait(process, DEADLINE_NEVER, &status);
	(void)!lintel_handle_close(door);
	(void)!lintel_handle_close(process);
	return status;
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
