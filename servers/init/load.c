/* SPDX-License-Identifier: BSD-2-Clause */
/* load.c - the boot archive, and the table of services made from its manifests. */
#include "init/service.h"

#include <string.h>

#include "kit/kit.h"
#include "kit/tar.h"

#define MANIFEST_FOLDER "etc/"
#define MANIFEST_SUFFIX ".manifest"

err_t archive_find(const char *name, const uint8_t **data, uint64_t *bytes)
{
	static struct tar_entry entry; /* large; the lock's holder, or the first thread before there are others */
	struct tar tar;
	err_t err;
	tar_open(&tar, supervisor.image, supervisor.image_bytes);
	while ((err = tar_next(&tar, &entry)) == OK) {
		if (entry.type == TAR_FILE && !strcmp(entry.name, name)) {
			*data = entry.data;
			*bytes = entry.bytes;
			return OK;
		}
	}
	return err;
}

struct service *service_find(const char *name)
{
	for (uint32_t i = 0; i < supervisor.count; i++) {
		const struct manifest *m = &supervisor.services[i].manifest;
		if (!strcmp(name[0] == '/' ? m->mount : m->name, name))
			return &supervisor.services[i];
	}
	return NULL;
}

static bool is_manifest(const struct tar_entry *entry)
{
	size_t length = strlen(entry->name);
	size_t suffix = strlen(MANIFEST_SUFFIX);
	return entry->type == TAR_FILE && !strncmp(entry->name, MANIFEST_FOLDER, strlen(MANIFEST_FOLDER)) &&
		   length > suffix && !strcmp(entry->name + length - suffix, MANIFEST_SUFFIX);
}

static void load_one(const struct tar_entry *entry)
{
	char reason[160];
	if (supervisor.count == SERVICES_MAX) {
		kit_log("%s is left out: more than %d services", entry->name, SERVICES_MAX);
		return;
	}
	struct service *s = &supervisor.services[supervisor.count];
	err_t err = manifest_parse(entry->name, (const char *)entry->data, entry->bytes, reason, sizeof reason,
		&s->manifest);
	if (err != OK)
		kit_log("%s", reason);
	else
		supervisor.count++;
}

static void drop(uint32_t which)
{
	uint32_t after = supervisor.count - which - 1;
	memmove(&supervisor.services[which], &supervisor.services[which + 1], after * sizeof supervisor.services[0]);
	supervisor.count--;
	memset(&supervisor.services[supervisor.count], 0, sizeof supervisor.services[0]);
}

/* Leave out, one after the other, what cannot be used. */
static void check_all(const struct manifest **all)
{
	char reason[160];
	uint32_t bad;
	for (;;) {
		for (uint32_t i = 0; i < supervisor.count; i++)
			all[i] = &supervisor.services[i].manifest;
		if (order_check(all, supervisor.count, reason, sizeof reason, &bad) == OK)
			return;
		kit_log("service %s is left out: %s", all[bad]->name, reason);
		drop(bad);
	}
}

void services_load(void)
{
	static struct tar_entry entry;
	const struct manifest *all[SERVICES_MAX];
	struct tar tar;
	err_t err;
	tar_open(&tar, supervisor.image, supervisor.image_bytes);
	while ((err = tar_next(&tar, &entry)) == OK) {
		if (is_manifest(&entry))
			load_one(&entry);
	}
	if (err != ERR_NOT_FOUND)
		kit_log("the boot archive is damaged: %s", tar.reason);
	check_all(all);
	for (uint32_t i = 0; i < supervisor.count; i++) {
		struct service *s = &supervisor.services[i];
		s->is_server = order_is_server(&s->manifest, all, supervisor.count);
		s->wanted = s->manifest.start != START_MANUAL;
	}
}
