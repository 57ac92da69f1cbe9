/* SPDX-License-Identifier: BSD-2-Clause */
/* manifest_check.c - build-time check of all manifests together, with the very parser that init uses.
 *
 *   manifest_check PROGRAM... -- MANIFEST...      PROGRAM as the archive names it: bin/pmfs
 *
 * Refused, each with one line: what the parser refuses; no `memory`; a binary that the archive does not hold; a service
 * or a mount that no manifest provides; two services of one name or one mount. Exit status 1 then. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/manifest.h"

#define FILE_BYTES_MAX 65536
#define REASON_BYTES 256

struct service {
	const char *file;
	struct manifest manifest;
};

struct check {
	struct service *services;
	int service_count;
	char **programs;
	int program_count;
	int refusals;
};

static void refuse(struct check *check, const char *file, const char *what, const char *name)
{
	fprintf(stderr, "%s: %s%s\n", file, what, name);
	check->refusals++;
}

/* Does a line of the text set the key? The parser fills in a default, but a ceiling should be somebody's decision. */
static bool sets_key(const char *text, const char *key)
{
	const size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\n");
		if (!strncmp(line, key, length) && strchr(" \t=", line[length]))
			return true;
	}
	return false;
}

static void read_manifest(struct check *check, const char *file)
{
	static char text[FILE_BYTES_MAX];
	char reason[REASON_BYTES];
	struct service *service = &check->services[check->service_count];
	FILE *stream = fopen(file, "r");

	if (!stream) {
		refuse(check, file, "cannot be read: ", strerror(errno));
		return;
	}
	size_t bytes = fread(text, 1, sizeof(text) - 1, stream);
	fclose(stream);
	text[bytes] = '\0';
	if (manifest_parse(file, text, bytes, reason, sizeof(reason), &service->manifest) != OK) {
		fprintf(stderr, "%s\n", reason);
		check->refusals++;
		return;
	}
	if (!sets_key(text, "memory"))
		refuse(check, file, "the key `memory` is missing: every service has a ceiling", "");
	service->file = file;
	check->service_count++;
}

static bool has_program(const struct check *check, const char *name)
{
	for (int i = 0; i < check->program_count; i++) {
		if (!strcmp(check->programs[i], name))
			return true;
	}
	return false;
}

static bool has_service(const struct check *check, const char *name)
{
	if (!strcmp(name, "init"))
		return true;
	for (int i = 0; i < check->service_count; i++) {
		if (!strcmp(check->services[i].manifest.name, name))
			return true;
	}
	return false;
}

static bool has_mount(const struct check *check, const char *prefix)
{
	for (int i = 0; i < check->service_count; i++) {
		if (!strcmp(check->services[i].manifest.mount, prefix))
			return true;
	}
	return false;
}

static void check_references(struct check *check, const struct service *service)
{
	const struct manifest *m = &service->manifest;

	if (!has_program(check, m->binary))
		refuse(check, service->file, "no such program in the archive: ", m->binary);
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (!has_service(check, m->service[i]))
			refuse(check, service->file, "no manifest provides the service ", m->service[i]);
	}
	for (uint32_t i = 0; i < m->mounts_count; i++) {
		if (!has_mount(check, m->mounts[i]))
			refuse(check, service->file, "no manifest provides the mount ", m->mounts[i]);
	}
}

static void check_duplicates(struct check *check, int index)
{
	const struct service *service = &check->services[index];

	for (int i = 0; i < index; i++) {
		const struct manifest *other = &check->services[i].manifest;

		if (!strcmp(other->name, service->manifest.name))
			refuse(check, service->file, "the name is taken by ", check->services[i].file);
		if (other->mount[0] && !strcmp(other->mount, service->manifest.mount))
			refuse(check, service->file, "the mount is taken by ", check->services[i].file);
	}
}

int main(int argc, char **argv)
{
	int split = 1;

	while (split < argc && strcmp(argv[split], "--"))
		split++;
	if (split == argc) {
		fprintf(stderr, "usage: manifest_check PROGRAM... -- MANIFEST...\n");
		return 2;
	}
	struct check check = { .programs = argv + 1, .program_count = split - 1 };
	check.services = calloc((size_t)(argc - split), sizeof(*check.services));
	if (!check.services)
		return 2;
	for (int i = split + 1; i < argc; i++)
		read_manifest(&check, argv[i]);
	for (int i = 0; i < check.service_count; i++) {
		check_references(&check, &check.services[i]);
		check_duplicates(&check, i);
	}
	free(check.services);
	return check.refusals ? 1 : 0;
}
