/* SPDX-License-Identifier: GPL-2.0-only */
/* process.c - the life of a process: made, ended, finished, freed.
 *
 *   CREATED --first thread starts--> RUNNING --process_end--> ENDING --last one out--> ENDED --last reference--> freed
 *      '------process_end, or its last handle is closed--------^
 *
 * ENDING: no thread can be added or started, no door entered; home threads are pended PENDING_KILL, callers inside
 * PENDING_PEER_DIED; each goes when it comes to its border to user mode. Whoever goes last finishes: handles closed,
 * space taken down, SIGNAL_TERMINATED. So no memory goes while anybody executes in it.
 *
 * I1  thread_count cannot leave 0 once the process is ENDING, nor can the number inside once it is sealed: serving_seal
 *     stores the state, then makes every CPU take a round. A caller at the door counts itself and then looks at the
 *     state (call.c); the round comes to its CPU before the count, and it sees the state, or after it, and we see the
 *     count. Who sees the state takes itself off again, which is harmless after the finish as well. Nobody needs a
 *     fence or a shared counter.
 * I2  `finishing` is set once, under the lock, by whoever finds the process sealed and both counts at 0. Who leaves
 *     takes itself off before it takes the lock, so that of two who leave at once the second sees both gone.
 * I3  Finishing closes handles, which can end and finish further processes. They are queued and taken in a loop, so
 *     that a chain of processes that hold each other costs no stack.
 * I4  The list of processes holds no references: who finds one there takes it with object_try_ref. */
#include "kernel/cpu.h"
#include "kernel/door.h"
#include "mm/pool.h"

#include <lintel/info.h>

static struct pool process_pool;
static struct spinlock processes_lock;
static struct list processes; /* [processes_lock] by creation */
static struct list finishing; /* [processes_lock] ended by all, with a reference each */
static uint32_t count;        /* [processes_lock] */
static uint32_t last_pid;     /* [processes_lock] */

void process_init(void)
{
	pool_init(&process_pool, "process", sizeof(struct process));
	spin_init(&processes_lock, LOCK_RANK_OBJECT);
	list_init(&processes);
	list_init(&finishing);
}

/* ---- the end ---- */

static void memory_free(struct process *process)
{
	struct space *space = process->space;

	handle_table_clear(&process->handles);
	if (space == NULL)
		return;
	spin_lock(&process->lock);
	process->space = NULL;
	spin_unlock(&process->lock);
	space_destroy(space);
}

static void finish(struct process *process)
{
	/* Before its successor can be started: what it lent to its clients is not its own any more. */
	if (process->serving != NULL)
		pager_family_end(&process->serving->pagers);
	memory_free(process);
	__atomic_store_n(&process->state, PROCESS_ENDED, __ATOMIC_RELEASE);
	object_signal(&process->object, 0, SIGNAL_TERMINATED);
	object_unref(&process->object);
}

static void finish_queued(void)
{
	struct thread *thread = thread_current();

	if (thread->finishes) /* further down on this stack somebody is in the loop (I3) */
		return;
	thread->finishes = true;
	for (;;) {
		struct list *link;

		spin_lock(&processes_lock);
		link = list_take_first(&finishing);
		spin_unlock(&processes_lock);
		if (link == NULL)
			break;
		finish(list_entry(link, struct process, finish_link));
	}
	thread->finishes = false;
}

static void finish_if_empty(struct process *process)
{
	bool last;

	spin_lock(&process->lock);
	last = process->sealed && process->state == PROCESS_ENDING && process->thread_count == 0 &&
	       !process->finishing && (process->serving == NULL || serving_inside(process->serving) == 0);
	if (last)
		process->finishing = true;
	spin_unlock(&process->lock);
	if (!last)
		return;
	object_ref(&process->object);
	spin_lock(&processes_lock);
	list_append(&finishing, &process->finish_link);
	spin_unlock(&processes_lock);
	finish_queued();
}

/* Every thread that has started will end; those that have not never will start. */
static void tell_threads(struct process *process) TA_EXCL(process->lock)
{
	struct list *link;

	list_for_each(link, &process->threads) {
		struct thread *thread = list_entry(link, struct thread, process_link);

		if (thread->state == THREAD_NEW)
			object_signal(&thread->object, 0, SIGNAL_TERMINATED);
		else
			thread_pend(thread, PENDING_KILL);
	}
}

static void end_from(struct process *process, int32_t status, enum process_state latest)
{
	spin_lock(&process->lock);
	if (process->state > latest) {
		spin_unlock(&process->lock);
		return;
	}
	process->exit_status = status;
	__atomic_store_n(&process->state, PROCESS_ENDING, __ATOMIC_SEQ_CST);
	for (uint32_t cpu = 0; process->space != NULL && cpu < cpu_count(); cpu++)
		__atomic_store_n(&process->space->cpu[cpu].ending, 1, __ATOMIC_SEQ_CST);
	tell_threads(process);
	spin_unlock(&process->lock);
	door_server_died(process);
	spin_lock(&process->lock);
	process->sealed = true;
	spin_unlock(&process->lock);
	finish_if_empty(process);
}

void process_end(struct process *process, int32_t status)
{
	end_from(process, status, PROCESS_RUNNING);
}

void process_thread_ended(struct process *process)
{
	bool last;

	spin_lock(&process->lock);
	last = --process->thread_count == 0;
	spin_unlock(&process->lock);
	if (!last)
		return;
	process_end(process, 0); /* if it has not begun to end, it does now */
	finish_if_empty(process);
}

void process_visitor_left(struct process *process)
{
	if (unlikely(process_is_ending(process)))
		finish_if_empty(process);
}

/* A process that was never started and that nobody can start any more. */
static void process_last_handle(struct object *object)
{
	end_from(container_of(object, struct process, object), 0, PROCESS_CREATED);
}

static void process_destroy(struct object *object)
{
	struct process *process = container_of(object, struct process, object);

	spin_lock(&processes_lock);
	list_remove(&process->all_link);
	count--;
	spin_unlock(&processes_lock);
	memory_free(process); /* if it was never given to anybody; else gone already */
	if (process->serving != NULL)
		serving_free(process->serving);
	account_unref(process->account);
	pool_free(&process_pool, process);
}

const struct object_class process_class = {
	.type = OBJECT_PROCESS,
	.rights = PROCESS_RIGHTS,
	.on_last_handle = process_last_handle,
	.destroy = process_destroy,
};

/* ---- the beginning ---- */

static bool pid_is_taken(uint32_t pid) TA_EXCL(processes_lock)
{
	struct list *link;

	list_for_each(link, &processes)
		if (list_entry(link, struct process, all_link)->pid == pid)
			return true;
	return false;
}

static void enlist(struct process *process)
{
	spin_lock(&processes_lock);
	do {
		last_pid = last_pid == INT32_MAX ? 2 : last_pid + 1;
	} while (last_pid < count && pid_is_taken(last_pid)); /* all are higher than the count before the first wrap */
	process->pid = last_pid;
	list_append(&processes, &process->all_link);
	count++;
	spin_unlock(&processes_lock);
}

err_t process_create(struct process *creator, const char *name, uint64_t limit_pages, struct process **out)
{
	struct process *process = pool_alloc(&process_pool);
	err_t err;

	if (process == NULL)
		return ERR_NO_MEMORY;
	object_init(&process->object, &process_class);
	spin_init(&process->lock, LOCK_RANK_PROCESS);
	list_init(&process->threads);
	list_init(&process->finish_link);
	process->state = PROCESS_CREATED;
	if (creator != NULL)
		process->parent_pid = creator->pid;
	for (uint32_t i = 0; i < sizeof(process->name) - 1 && name[i] != '\0'; i++)
		process->name[i] = name[i];
	err = account_create(creator != NULL ? creator->account : NULL, limit_pages, &process->account);
	if (err != OK)
		goto free_process;
	err = handle_table_init(&process->handles, process->account);
	if (err != OK)
		goto drop_account;
	err = space_create(process->account, &process->space);
	if (err != OK)
		goto clear_handles;
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		process->space->cpu[cpu].doors = handle_table_doors(&process->handles);
	enlist(process);
	*out = process;
	return OK;
clear_handles:
	handle_table_clear(&process->handles);
drop_account:
	account_unref(process->account);
free_process:
	pool_free(&process_pool, process);
	return err;
}

/* ---- finding and describing ---- */

struct process *process_find(uint32_t pid)
{
	struct process *found = NULL;
	struct list *link;

	spin_lock(&processes_lock);
	list_for_each(link, &processes) {
		struct process *process = list_entry(link, struct process, all_link);

		if (process->pid == pid && object_try_ref(&process->object)) {
			found = process;
			break;
		}
	}
	spin_unlock(&processes_lock);
	return found;
}

struct process *process_at(uint32_t index)
{
	struct process *found = NULL;
	struct list *link;

	spin_lock(&processes_lock);
	list_for_each(link, &processes) {
		struct process *process = list_entry(link, struct process, all_link);

		if (index-- == 0) {
			if (object_try_ref(&process->object))
				found = process;
			else
				index = 0; /* it is being freed: the next one stands in its place */
		}
		if (found != NULL)
			break;
	}
	spin_unlock(&processes_lock);
	return found;
}

uint32_t process_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

uint64_t activations_busy(void)
{
	uint64_t total = 0;
	struct list *link;

	spin_lock(&processes_lock);
	list_for_each(link, &processes) {
		struct serving *serving =
			__atomic_load_n(&list_entry(link, struct process, all_link)->serving, __ATOMIC_ACQUIRE);

		if (serving != NULL)
			total += serving_inside(serving) - serving_waiting(serving);
	}
	spin_unlock(&processes_lock);
	return total;
}

struct door_counts door_counts_of(uint32_t cpu)
{
	uint64_t ended = door_calls_ended(cpu);
	struct door_counts total = { ended, ended };
	struct list *link;

	spin_lock(&processes_lock);
	list_for_each(link, &processes) {
		struct serving *serving =
			__atomic_load_n(&list_entry(link, struct process, all_link)->serving, __ATOMIC_ACQUIRE);

		if (serving == NULL)
			continue;
		total.arrived += serving->cpu[cpu]->arrived;
		total.left += serving->cpu[cpu]->left;
	}
	spin_unlock(&processes_lock);
	return total;
}

uint64_t handles_count(void)
{
	uint64_t total = 0;
	struct list *link;

	spin_lock(&processes_lock);
	list_for_each(link, &processes)
		total += __atomic_load_n(&list_entry(link, struct process, all_link)->handles.used, __ATOMIC_RELAXED);
	spin_unlock(&processes_lock);
	return total;
}

void process_describe(struct process *process, struct info_process *out)
{
	struct list *link;

	*out = (struct info_process){
		.pid = process->pid,
		.parent_pid = process->parent_pid,
		.handles = __atomic_load_n(&process->handles.used, __ATOMIC_RELAXED),
		.memory_pages = account_used(process->account),
		.memory_limit_pages = process->account->limit_pages,
	};
	__builtin_memcpy(out->name, process->name, sizeof(out->name));
	spin_lock(&process->lock);
	out->threads = process->thread_count;
	out->exit_status = process->exit_status;
	out->state = process->state == PROCESS_ENDED ? 2 : process->state == PROCESS_ENDING ? 1 : 0;
	out->cpu_ns = process->cpu_ns;
	list_for_each(link, &process->threads)
		out->cpu_ns += list_entry(link, struct thread, process_link)->cpu_ns;
	spin_unlock(&process->lock);
}

err_t process_space_get(struct process *process, struct space **out)
{
	err_t err = ERR_BAD_STATE;

	spin_lock(&process->lock);
	if (process->space != NULL && !process_is_ending(process)) {
		space_ref(process->space);
		*out = process->space;
		err = OK;
	}
	spin_unlock(&process->lock);
	return err;
}
