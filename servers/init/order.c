/* SPDX-License-Identifier: BSD-2-Clause */
/* order.c - dependencies of services. */
#include "init/order.h"

#include <stdio.h>
#include <string.h>

static bool lists_mount(const struct manifest *a, const char *prefix)
{
	for (uint32_t i = 0; i < a->mounts_count; i++) {
		if (!strcmp(a->mounts[i], prefix))
			return true;
	}
	return false;
}

bool order_depends(const struct manifest *a, const struct manifest *b)
{
	return manifest_allows_service(a, b->name) || (b->mount[0] && lists_mount(a, b->mount));
}

bool order_is_server(const struct manifest *b, const struct manifest *const *all, uint32_t count)
{
	if (b->mount[0])
		return true;
	for (uint32_t i = 0; i < count; i++) {
		if (all[i] != b && manifest_allows_service(all[i], b->name))
			return true;
	}
	return false;
}

static bool is_known_service(const struct manifest *const *all, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!strcmp(all[i]->name, name))
			return true;
	}
	return false;
}

static bool is_known_mount(const struct manifest *const *all, uint32_t count, const char *prefix)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!strcmp(all[i]->mount, prefix))
			return true;
	}
	return false;
}

static err_t check_names(const struct manifest *const *all, uint32_t count, uint32_t which, char *reason,
	size_t reason_bytes)
{
	const struct manifest *m = all[which];
	for (uint32_t i = 0; i < which; i++) {
		if (!strcmp(all[i]->name, m->name)) {
			snprintf(reason, reason_bytes, "another service has the name %s", m->name);
			return ERR_ARGS;
		}
		if (m->mount[0] && !strcmp(all[i]->mount, m->mount)) {
			snprintf(reason, reason_bytes, "%s mounts %s as well", all[i]->name, m->mount);
			return ERR_ARGS;
		}
	}
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (!is_known_service(all, count, m->service[i])) {
			snprintf(reason, reason_bytes, "there is no service %s", m->service[i]);
			return ERR_ARGS;
		}
	}
	for (uint32_t i = 0; i < m->mounts_count; i++) {
		if (!is_known_mount(all, count, m->mounts[i])) {
			snprintf(reason, reason_bytes, "no service mounts %s", m->mounts[i]);
			return ERR_ARGS;
		}
	}
	if (m->stdio_console && !is_known_service(all, count, "console")) {
		snprintf(reason, reason_bytes, "there is no service console");
		return ERR_ARGS;
	}
	return OK;
}

/* Take away, again and again, whoever waits for nobody that is left. What stays lies on a circle
 * or behind one. */
static uint32_t left_waiting(const struct manifest *const *all, uint32_t count)
{
	uint32_t left = count == 32 ? UINT32_MAX : (1u << count) - 1;
	bool changed = true;
	while (left && changed) {
		changed = false;
		for (uint32_t a = 0; a < count; a++) {
			bool waits = false;
			for (uint32_t b = 0; b < count; b++)
				waits |= (left & 1u << b) && order_depends(all[a], all[b]);
			if (!waits && (left & 1u << a)) {
				left &= ~(1u << a);
				changed = true;
			}
		}
	}
	return left;
}

err_t order_check(const struct manifest *const *all, uint32_t count, char *reason, size_t reason_bytes, uint32_t *bad)
{
	_Static_assert(SERVICES_MAX <= 32, "left_waiting uses a 32-bit mask");
	for (uint32_t i = 0; i < count; i++) {
		if (check_names(all, count, i, reason, reason_bytes) != OK) {
			*bad = i;
			return ERR_ARGS;
		}
	}
	uint32_t left = left_waiting(all, count);
	if (!left)
		return OK;
	*bad = (uint32_t)__builtin_ctz(left);
	snprintf(reason, reason_bytes, "it waits for itself, round a circle of `services` and `mounts`");
	return ERR_ARGS;
}
