/* SPDX-License-Identifier: BSD-2-Clause */
/* manifest.h - what one service is and may have, read from a text file. README.md holds the
 * table of keys.
 * Pure: no system calls, no allocation, no globals; the text need not end in NUL and may be
 * anything at all. */
#pragma once

#include <lintel/types.h>

#define MANIFEST_NAME_BYTES 32
#define MANIFEST_PATH_BYTES 128
#define MANIFEST_ARGUMENTS_MAX 16
#define MANIFEST_ARGUMENT_BYTES 512 /* all of them together, NULs included */
#define MANIFEST_NAMES_MAX 12
#define MANIFEST_ZONES_MAX 8
#define MANIFEST_MOUNTS_MAX 8
#define MANIFEST_RESOURCES_MAX 8
#define MANIFEST_LINE_BYTES 1024

enum manifest_start { START_BOOT,
	START_LAST,
	START_MANUAL };
enum manifest_restart { RESTART_NEVER,
	RESTART_FAILURE,
	RESTART_ALWAYS };

struct manifest_resource {
	uint32_t kind; /* enum resource_kind */
	uint32_t rights;
	uint64_t base;
	uint64_t length;
};

struct manifest {
	char name[MANIFEST_NAME_BYTES];
	char binary[MANIFEST_PATH_BYTES];
	char mount[MANIFEST_PATH_BYTES]; /* "" = not a file system */
	uint32_t argument_count;
	char arguments[MANIFEST_ARGUMENT_BYTES]; /* argument_count strings, one after the other */
	uint64_t memory_bytes;
	uint64_t stack_bytes;
	uint32_t activations;
	uint32_t zone_count;
	char zone[MANIFEST_ZONES_MAX][MANIFEST_NAME_BYTES];
	uint32_t service_count;
	char service[MANIFEST_NAMES_MAX][MANIFEST_NAME_BYTES];
	bool mounts_all;
	uint32_t mounts_count;
	char mounts[MANIFEST_MOUNTS_MAX][MANIFEST_PATH_BYTES];
	uint32_t resource_count;
	struct manifest_resource resource[MANIFEST_RESOURCES_MAX];
	enum manifest_start start;
	enum manifest_restart restart;
	uint32_t restart_limit;
	bool stdio_console;
	bool archive;
	bool power;
};

/* Parse `bytes` of `text`. On success *out is complete and within its bounds. ERR_BAD_FORMAT:
 * `reason` (always NUL-terminated) says "file:line: why" and *out is untouched. */
MUST_USE
err_t manifest_parse(const char *file, const char *text, size_t bytes, char *reason, size_t reason_bytes,
	struct manifest *out);

/* The index-th argument, or NULL past the last. */
const char *manifest_argument(const struct manifest *m, uint32_t index);

/* Does the manifest let its service use that service, or see that mount? */
bool manifest_allows_service(const struct manifest *m, const char *name);
bool manifest_allows_mount(const struct manifest *m, const char *prefix);
