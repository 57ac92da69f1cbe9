/* SPDX-License-Identifier: BSD-2-Clause */
/* children.c - children by number: wait and waitpid.
 * A child that somebody waits for is off the list while he does (`waited`), so two waiters never close one handle. */
#include "spawn/children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <lintel/info.h>
#include <lintel/process.h>

#include "core/lock.h"
#include "core/sys.h"

#define EXCEPTIONS 32

struct child {
	struct child *next;
	pid_t pid;
	handle_t process;
	bool waited; /* under children_lock */
};

static struct lock children_lock;
static struct child *children; /* under children_lock */

int child_add(handle_t process, int *pid)
{
	struct child *child = malloc(sizeof(*child));
	struct info_process info;

	if (child == NULL || lintel_process_info(process, &info, sizeof(info)) != OK) {
		int error = child == NULL ? ENOMEM : EIO;
		free(child);
		lintel_handle_close(process);
		return error;
	}
	lock_acquire(&children_lock);
	*child = (struct child){ .next = children, .pid = (pid_t)info.pid, .process = process };
	children = child;
	lock_release(&children_lock);
	*pid = (int)info.pid;
	return 0;
}

/* The signals that POSIX systems give for the exceptions of x86 (Intel SDM vol. 3, table 6-1). */
static int fault_signal(int32_t exception)
{
	switch (exception) {
	case 0: case 7: case 16: case 19:
		return SIGFPE;
	case 1: case 3:
		return SIGTRAP;
	case 6: case 21:
		return SIGILL;
	case 17:
		return SIGBUS;
	}
	return SIGSEGV;
}

/* Status words as <sys/wait.h> takes them apart: a negative status is the kernel's or a killer's, and looks like a
 * signal. */
static int status_word(int32_t status)
{
	if (status <= EXIT_STATUS_FAULT && status > EXIT_STATUS_FAULT - EXCEPTIONS)
		return fault_signal(EXIT_STATUS_FAULT - status);
	if (status < 0)
		return -status & 0x7f ? -status & 0x7f : 0x7e;
	return (status & 0xff) << 8;
}

static bool matches(const struct child *child, pid_t pid)
{
	return !child->waited && (pid == -1 || child->pid == pid);
}

static struct child *take_one(pid_t pid)
{
	struct child *child;

	lock_acquire(&children_lock);
	for (child = children; child != NULL && !matches(child, pid);)
		child = child->next;
	if (child != NULL)
		child->waited = true;
	lock_release(&children_lock);
	return child;
}

static void put_back(struct child *child)
{
	lock_acquire(&children_lock);
	child->waited = false;
	lock_release(&children_lock);
}

static void forget(struct child *child)
{
	lock_acquire(&children_lock);
	for (struct child **link = &children; *link != NULL; link = &(*link)->next) {
		if (*link == child) {
			*link = child->next;
			break;
		}
	}
	lock_release(&children_lock);
	lintel_handle_close(child->process);
	free(child);
}

/* Of up to WAIT_ITEMS_MAX children, the number of one that has ended; 0 when none has by the deadline. */
static err_t wait_any(uint64_t deadline, pid_t *pid)
{
	struct wait_item items[WAIT_ITEMS_MAX];
	pid_t pids[WAIT_ITEMS_MAX];
	uint32_t count = 0, ready;

	lock_acquire(&children_lock);
	for (struct child *child = children; child != NULL && count < WAIT_ITEMS_MAX; child = child->next) {
		if (child->waited)
			continue;
		pids[count] = child->pid;
		items[count++] = (struct wait_item){ .handle = child->process, .wanted = SIGNAL_TERMINATED };
	}
	lock_release(&children_lock);
	err_t error = lintel_object_wait_many(items, count, deadline, &ready);
	for (uint32_t i = 0; i < count && error == OK; i++) {
		if (items[i].observed & SIGNAL_TERMINATED) {
			*pid = pids[i];
			break;
		}
	}
	return error;
}

static pid_t fail_with(int error)
{
	errno = error;
	return -1;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	uint64_t deadline = options & WNOHANG ? 0 : DEADLINE_NEVER;
	int32_t code;
	struct child *child = take_one(pid);

	if (pid < -1 || pid == 0 || (options & ~(WNOHANG | WUNTRACED)) != 0) {
		if (child != NULL)
			put_back(child);
		return fail_with(EINVAL);
	}
	if (child == NULL)
		return fail_with(ECHILD);
	if (pid == -1) {
		put_back(child);
		err_t error = wait_any(deadline, &pid);
		if (error != OK)
			return error == ERR_TIMED_OUT ? 0 : fail_with(lintel_errno(error));
		return waitpid(pid, status, options);
	}
	err_t error = lintel_wait(child->process, deadline, &code);
	if (error != OK) {
		put_back(child);
		return error == ERR_TIMED_OUT ? 0 : fail_with(lintel_errno(error));
	}
	if (status != NULL)
		*status = status_word(code);
	pid = child->pid;
	forget(child);
	return pid;
}

pid_t wait(int *status)
{
	return waitpid(-1, status, 0);
}
