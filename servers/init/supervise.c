/* SPDX-License-Identifier: BSD-2-Clause */
/* supervise.c - the supervising thread: start what can start, wait for deaths and wishes,
 * restart within limits. */
#include "init/service.h"

#include <lintel/info.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>

#include "kit/kit.h"

#define BACKOFF_FIRST_NS 50000000ull
#define BACKOFF_MAX_NS 5000000000ull
#define GOOD_RUN_NS 30000000000ull /* running so long forgets the restarts before */

_Static_assert(SERVICES_MAX + 1 <= WAIT_ITEMS_MAX, "one wait for all services and the wake event");

const char *service_state_name(enum service_state state)
{
	switch (state) {
	case SERVICE_IDLE: return "idle";
	case SERVICE_STARTING: return "starting";
	case SERVICE_READY: return "running";
	case SERVICE_WAITING: return "restarting";
	case SERVICE_ENDED: return "ended";
	case SERVICE_FAILED: return "failed";
	case SERVICE_STOPPED: return "stopped";
	case SERVICE_ABSENT: return "absent";
	}
	return "?";
}

void supervise_wake(void)
{
	err_t err = lintel_event_signal(supervisor.wake, 0, WAKE_BIT);
	if (err != OK)
		kit_log("the wake event: %s", lintel_error_sentence(err));
}

/* Down, and not on its way up again. */
static bool is_down_for_good(const struct service *s)
{
	switch (s->state) {
	case SERVICE_ENDED:
	case SERVICE_FAILED:
	case SERVICE_STOPPED:
	case SERVICE_ABSENT: return true;
	case SERVICE_IDLE: return !s->wanted;
	case SERVICE_STARTING:
	case SERVICE_READY:
	case SERVICE_WAITING: break;
	}
	return false;
}

/* May it start now? If it never can, say so and give up on it. */
static bool can_start(struct service *s)
{
	for (uint32_t i = 0; i < supervisor.count; i++) {
		const struct service *other = &supervisor.services[i];
		if (other == s || !order_depends(&s->manifest, &other->manifest) || other->state == SERVICE_READY)
			continue;
		if (is_down_for_good(other)) {
			s->state = SERVICE_FAILED;
			kit_log("service %s is not started: it needs %s, which is %s", s->manifest.name,
				other->manifest.name, service_state_name(other->state));
		}
		return false;
	}
	return true;
}

/* `start = last`: everything else of the boot is up or down. */
static bool has_settled(uint64_t now_ns)
{
	if (now_ns >= supervisor.settle_ns)
		return true;
	for (uint32_t i = 0; i < supervisor.count; i++) {
		const struct service *s = &supervisor.services[i];
		if (s->manifest.start == START_BOOT && s->state != SERVICE_READY && !is_down_for_good(s))
			return false;
	}
	return true;
}

static uint64_t backoff_ns(uint32_t restarts_in_row)
{
	uint64_t wait_ns = BACKOFF_FIRST_NS;
	for (uint32_t i = 1; i < restarts_in_row && wait_ns < BACKOFF_MAX_NS; i++)
		wait_ns *= 2;
	return wait_ns < BACKOFF_MAX_NS ? wait_ns : BACKOFF_MAX_NS;
}

static const char *ordinal(uint32_t n)
{
	if (n % 100 >= 11 && n % 100 <= 13)
		return "th";
	switch (n % 10) {
	case 1: return "st";
	case 2: return "nd";
	case 3: return "rd";
	}
	return "th";
}

/* It is down. `story` says what happened, as far as "service NAME ..."; decide what becomes of it. */
static void settle_down(struct service *s, const char *story, int32_t detail, bool failed)
{
	uint64_t now_ns = lintel_clock_ns();
	const char *name = s->manifest.name;
	bool again = s->manifest.restart == RESTART_ALWAYS || (s->manifest.restart == RESTART_FAILURE && failed);
	if (now_ns - s->start_ns >= GOOD_RUN_NS)
		s->restarts_in_row = 0;
	if (!again) {
		s->state = failed ? SERVICE_FAILED : SERVICE_ENDED;
		kit_log("service %s %s %d", name, story, (int)detail);
	} else if (s->restarts_in_row >= s->manifest.restart_limit) {
		s->state = SERVICE_FAILED;
		kit_log("service %s %s %d; it stays down after %u restarts in a row", name, story, (int)detail,
			s->restarts_in_row);
	} else {
		s->restarts++;
		s->restarts_in_row++;
		s->state = SERVICE_WAITING;
		s->restart_ns = now_ns + backoff_ns(s->restarts_in_row);
		kit_log("service %s %s %d, restarted (%u%s time)", name, story, (int)detail, s->restarts,
			ordinal(s->restarts));
	}
}

static void start(struct service *s)
{
	const char *what = "";
	err_t err = service_spawn(s, &what);
	if (err == OK)
		return;
	if (err == ERR_NOT_FOUND) {
		s->state = SERVICE_ABSENT;
		kit_log("service %s is not started: this machine has no %s", s->manifest.name, what);
		return;
	}
	kit_log("service %s: %s: %s", s->manifest.name, what, lintel_error_sentence(err));
	s->start_ns = lintel_clock_ns();
	settle_down(s, "did not start, error", err, true);
}

/* Start whatever can start now. */
static void start_ready(void)
{
	bool changed = true;
	while (changed) {
		changed = false;
		uint64_t now_ns = lintel_clock_ns();
		for (uint32_t i = 0; i < supervisor.count; i++) {
			struct service *s = &supervisor.services[i];
			enum service_state before = s->state;
			bool due = (s->state == SERVICE_IDLE && s->wanted) ||
					   (s->state == SERVICE_WAITING && now_ns >= s->restart_ns);
			bool held = s->manifest.start == START_LAST && s->state == SERVICE_IDLE && !has_settled(now_ns);
			if (due && !held && can_start(s))
				start(s);
			changed |= s->state != before;
		}
	}
}

/* Its process has ended: let go of what we hold of it, and decide. */
static void bury(struct service *s)
{
	struct info_process info = { .exit_status = -1 };
	err_t err = lintel_process_info(s->process, &info, sizeof info);
	if (err != OK)
		kit_log("service %s: %s", s->manifest.name, lintel_error_sentence(err));
	lintel_handle_close(s->process);
	if (s->door != HANDLE_NONE)
		lintel_handle_close(s->door);
	s->process = s->door = HANDLE_NONE;
	s->pid = 0;
	if (s->stopping) {
		s->stopping = false;
		s->wanted = false;
		s->state = SERVICE_STOPPED;
		pthread_cond_broadcast(&supervisor.buried);
		return;
	}
	settle_down(s, "ended with status", info.exit_status, info.exit_status != 0 || s->is_server);
}

/* Fill the wait list; `owner` says whose process an item is. The deadline is the next restart,
 * or the end of settling. */
static uint32_t wait_list(struct wait_item *items, struct service **owner, uint64_t *deadline)
{
	uint64_t now_ns = lintel_clock_ns();
	uint32_t count = 1;
	items[0] = (struct wait_item){ .handle = supervisor.wake, .wanted = WAKE_BIT };
	*deadline = now_ns < supervisor.settle_ns ? supervisor.settle_ns : DEADLINE_NEVER;
	for (uint32_t i = 0; i < supervisor.count; i++) {
		struct service *s = &supervisor.services[i];
		if (s->state == SERVICE_WAITING && s->restart_ns < *deadline)
			*deadline = s->restart_ns;
		if (s->process == HANDLE_NONE)
			continue;
		owner[count] = s;
		items[count++] = (struct wait_item){ .handle = s->process, .wanted = SIGNAL_TERMINATED };
	}
	return count;
}

static void wait_for_news(void)
{
	struct wait_item items[SERVICES_MAX + 1];
	struct service *owner[SERVICES_MAX + 1];
	uint64_t deadline;
	uint32_t ready = 0;
	pthread_mutex_lock(&supervisor.lock);
	uint32_t count = wait_list(items, owner, &deadline);
	pthread_mutex_unlock(&supervisor.lock);

	err_t err = lintel_object_wait_many(items, count, deadline, &ready);
	if (err != OK) {
		if (err != ERR_TIMED_OUT)
			kit_log("waiting for services: %s", lintel_error_sentence(err));
		return;
	}
	pthread_mutex_lock(&supervisor.lock);
	if (items[0].observed & WAKE_BIT)
		err = lintel_event_signal(supervisor.wake, WAKE_BIT, 0);
	if (err != OK)
		kit_log("the wake event: %s", lintel_error_sentence(err));
	for (uint32_t i = 1; i < count; i++) {
		if (items[i].observed & SIGNAL_TERMINATED)
			bury(owner[i]);
	}
	pthread_mutex_unlock(&supervisor.lock);
}

void supervise(void)
{
	for (;;) {
		pthread_mutex_lock(&supervisor.lock);
		start_ready();
		bool end = supervisor.shutdown;
		uint32_t action = supervisor.shutdown_action, code = supervisor.shutdown_code;
		supervisor.shutdown = false;
		pthread_mutex_unlock(&supervisor.lock);
		if (end)
			shutdown_system(action, code);
		wait_for_news();
	}
}
