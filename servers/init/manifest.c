/* SPDX-License-Identifier: BSD-2-Clause */
/* manifest.c - the parser. One function a key; a function answers NULL or why the value is wrong. */
#include "init/manifest.h"

#include <stdio.h>
#include <string.h>

#define MEMORY_BYTES_MIN (256ull << 10)
#define MEMORY_BYTES_MAX (64ull << 40)
#define STACK_BYTES_MIN (16ull << 10)
#define STACK_BYTES_MAX (8ull << 20)
#define ACTIVATIONS_MAX 64
#define RESTART_LIMIT_MAX 1000

typedef const char *manifest_parser(struct manifest *m, char *value);

struct manifest_key {
	const char *name;
	manifest_parser *parse;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *trim(char *text)
{
	while (is_blank(*text))
		text++;
	size_t length = strlen(text);
	while (length && is_blank(text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* The next comma-separated item of *cursor, trimmed; NULL at the end. An empty item comes back
 * as "". */
static char *next_item(char **cursor)
{
	char *item = *cursor;
	if (!item)
		return NULL;
	char *comma = strchr(item, ',');
	if (comma)
		*comma = '\0';
	*cursor = comma ? comma + 1 : NULL;
	return trim(item);
}

static bool is_name(const char *text)
{
	size_t length = strlen(text);
	if (!length || length >= MANIFEST_NAME_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* "/", or "/a/b": no empty, "." or ".." component, no slash at the end. */
static bool is_absolute_path(const char *text)
{
	size_t length = strlen(text);
	if (text[0] != '/' || length >= MANIFEST_PATH_BYTES)
		return false;
	if (length == 1)
		return true;
	return text[length - 1] != '/' && !strstr(text, "//") && !strstr(text, "/./") && !strstr(text, "/../");
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* An unsigned number, decimal or 0x; *end is the first character that does not belong to it. */
static bool parse_number(const char *text, const char **end, uint64_t *out)
{
	int base = 10;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	const char *p = text;
	uint64_t value = 0;
	for (; digit_value(*p) < base; p++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
			__builtin_add_overflow(value, (uint64_t)digit_value(*p), &value))
			return false;
	}
	if (p == text)
		return false;
	*end = p;
	*out = value;
	return true;
}

static bool parse_whole_number(const char *text, uint64_t *out)
{
	const char *end;
	return parse_number(text, &end, out) && !*end;
}

static bool parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMG";
	const char *end;
	uint64_t value;
	if (!parse_number(text, &end, &value))
		return false;
	unsigned shift = 0;
	if (*end) {
		const char *unit = strchr(units, *end);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (shift && value >> (64 - shift))
		return false;
	*out = value << shift;
	return true;
}

static const char *parse_name(struct manifest *m, char *value)
{
	if (!is_name(value))
		return "a name is 1 to 31 of a-z 0-9 _ -";
	if (!strcmp(value, "init"))
		return "the name init is taken";
	strcpy(m->name, value);
	return NULL;
}

static const char *parse_binary(struct manifest *m, char *value)
{
	size_t length = strlen(value);
	if (!length || length >= sizeof m->binary || value[0] == '/' || strstr(value, ".."))
		return "binary is a relative path in the archive, such as bin/pmfs";
	strcpy(m->binary, value);
	return NULL;
}

static const char *parse_arguments(struct manifest *m, char *value)
{
	size_t used = 0;
	for (char *word = value; *word;) {
		size_t length = strcspn(word, " \t");
		if (m->argument_count == MANIFEST_ARGUMENTS_MAX || used + length + 1 > sizeof m->arguments)
			return "too many arguments (16, or 512 bytes)";
		memcpy(m->arguments + used, word, length);
		m->arguments[used + length] = '\0';
		used += length + 1;
		m->argument_count++;
		word += length;
		word += strspn(word, " \t");
	}
	return NULL;
}

static const char *parse_memory(struct manifest *m, char *value)
{
	if (!parse_size(value, &m->memory_bytes) || m->memory_bytes < MEMORY_BYTES_MIN ||
		m->memory_bytes > MEMORY_BYTES_MAX)
		return "memory is a size from 256K on, such as 64M";
	m->memory_bytes = (m->memory_bytes + PAGE_MASK) & ~PAGE_MASK;
	return NULL;
}

static const char *parse_stack(struct manifest *m, char *value)
{
	if (!parse_size(value, &m->stack_bytes) || m->stack_bytes < STACK_BYTES_MIN ||
		m->stack_bytes > STACK_BYTES_MAX)
		return "stack is a size from 16K to 8M";
	m->stack_bytes = (m->stack_bytes + PAGE_MASK) & ~PAGE_MASK;
	return NULL;
}

static const char *parse_activations(struct manifest *m, char *value)
{
	uint64_t count;
	if (!parse_whole_number(value, &count) || count < 1 || count > ACTIVATIONS_MAX)
		return "activations is a number from 1 to 64";
	m->activations = (uint32_t)count;
	return NULL;
}

static const char *parse_mount(struct manifest *m, char *value)
{
	if (!is_absolute_path(value))
		return "mount is an absolute path without a slash at its end";
	strcpy(m->mount, value);
	return NULL;
}

/* A list of names into a table of `max` rows. */
static const char *parse_names(char *value, char (*table)[MANIFEST_NAME_BYTES], uint32_t max, uint32_t *count)
{
	for (char *item; (item = next_item(&value));) {
		if (!is_name(item))
			return "a list of names, separated by commas";
		if (*count == max)
			return "too many names in the list";
		for (uint32_t i = 0; i < *count; i++) {
			if (!strcmp(table[i], item))
				return "a name stands twice in the list";
		}
		strcpy(table[(*count)++], item);
	}
	return NULL;
}

static const char *parse_zone(struct manifest *m, char *value)
{
	return parse_names(value, m->zone, MANIFEST_ZONES_MAX, &m->zone_count);
}

static const char *parse_services(struct manifest *m, char *value)
{
	return parse_names(value, m->service, MANIFEST_NAMES_MAX, &m->service_count);
}

static const char *parse_mounts(struct manifest *m, char *value)
{
	if (!strcmp(value, "all")) {
		m->mounts_all = true;
		return NULL;
	}
	for (char *item; (item = next_item(&value));) {
		if (!is_absolute_path(item))
			return "mounts is `all` or a list of absolute paths";
		if (m->mounts_count == MANIFEST_MOUNTS_MAX)
			return "too many mounts (8)";
		strcpy(m->mounts[m->mounts_count++], item);
	}
	return NULL;
}

/* "BASE+LENGTH" within [0, limit). */
static bool parse_range(const char *text, uint64_t limit, struct manifest_resource *out)
{
	const char *end;
	uint64_t base, length, after;
	if (!parse_number(text, &end, &base) || *end != '+' || !parse_whole_number(end + 1, &length))
		return false;
	if (!length || __builtin_add_overflow(base, length, &after) || after > limit)
		return false;
	out->base = base;
	out->length = length;
	return true;
}

static const char *parse_one_resource(struct manifest_resource *out, const char *item)
{
	static const struct {
		const char *prefix;
		uint32_t kind;
		uint64_t limit;
	} ranges[] = {
		{ "port:", RESOURCE_PORT, 0x10000 },
		{ "irq:", RESOURCE_IRQ, 1024 },
		{ "mmio:", RESOURCE_MMIO, 1ull << 52 },
	};
	if (!strcmp(item, "system")) {
		*out = (struct manifest_resource){ .kind = RESOURCE_SYSTEM, .rights = RIGHTS_SAME };
		return NULL;
	}
	if (!strcmp(item, "info")) {
		*out = (struct manifest_resource){ .kind = RESOURCE_SYSTEM, .rights = RIGHT_READ };
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		size_t length = strlen(ranges[i].prefix);
		if (strncmp(item, ranges[i].prefix, length))
			continue;
		out->kind = ranges[i].kind;
		out->rights = RIGHTS_SAME;
		if (!parse_range(item + length, ranges[i].limit, out))
			return "a range is BASE+LENGTH, such as port:0x3f8+8, and lies within what there is";
		if (out->kind == RESOURCE_MMIO && ((out->base | out->length) & PAGE_MASK))
			return "an mmio range is whole pages";
		return NULL;
	}
	return "a resource is system, info, port:BASE+N, irq:BASE+N or mmio:BASE+N";
}

static const char *parse_resources(struct manifest *m, char *value)
{
	for (char *item; (item = next_item(&value));) {
		if (m->resource_count == MANIFEST_RESOURCES_MAX)
			return "too many resources (8)";
		const char *why = parse_one_resource(&m->resource[m->resource_count], item);
		if (why)
			return why;
		m->resource_count++;
	}
	return NULL;
}

static const char *parse_start(struct manifest *m, char *value)
{
	if (!strcmp(value, "boot"))
		m->start = START_BOOT;
	else if (!strcmp(value, "last"))
		m->start = START_LAST;
	else if (!strcmp(value, "manual"))
		m->start = START_MANUAL;
	else
		return "start is boot, last or manual";
	return NULL;
}

static const char *parse_restart(struct manifest *m, char *value)
{
	char *limit = value + strcspn(value, " \t,");
	if (*limit) {
		*limit++ = '\0';
		uint64_t count;
		if (!parse_whole_number(trim(limit), &count) || count < 1 || count > RESTART_LIMIT_MAX)
			return "the restart limit is a number from 1 to 1000";
		m->restart_limit = (uint32_t)count;
	}
	if (!strcmp(value, "never"))
		m->restart = RESTART_NEVER;
	else if (!strcmp(value, "failure"))
		m->restart = RESTART_FAILURE;
	else if (!strcmp(value, "always"))
		m->restart = RESTART_ALWAYS;
	else
		return "restart is never, failure or always, with an optional limit";
	return NULL;
}

/* A value out of two words: the first means false. */
static bool parse_choice(const char *value, const char *no, const char *yes, bool *out)
{
	*out = !strcmp(value, yes);
	return *out || !strcmp(value, no);
}

static const char *parse_stdio(struct manifest *m, char *value)
{
	return parse_choice(value, "none", "console", &m->stdio_console) ? NULL : "stdio is console or none";
}

static const char *parse_archive(struct manifest *m, char *value)
{
	return parse_choice(value, "none", "read", &m->archive) ? NULL : "archive is read or none";
}

static const char *parse_power(struct manifest *m, char *value)
{
	return parse_choice(value, "no", "yes", &m->power) ? NULL : "power is yes or no";
}

static const struct manifest_key manifest_keys[] = {
	{ "name", parse_name },
	{ "binary", parse_binary },
	{ "arguments", parse_arguments },
	{ "memory", parse_memory },
	{ "stack", parse_stack },
	{ "activations", parse_activations },
	{ "mount", parse_mount },
	{ "zone", parse_zone },
	{ "services", parse_services },
	{ "mounts", parse_mounts },
	{ "stdio", parse_stdio },
	{ "resources", parse_resources },
	{ "start", parse_start },
	{ "restart", parse_restart },
	{ "archive", parse_archive },
	{ "power", parse_power },
};
_Static_assert(ARRAY_LEN(manifest_keys) <= 32, "`seen` is a 32-bit mask");

/* One line, already NUL-terminated. NULL, or why it is refused; `seen` has a bit for every key
 * that came. */
static const char *parse_line(struct manifest *m, char *line, uint32_t *seen)
{
	line[strcspn(line, "#")] = '\0';
	line = trim(line);
	if (!*line)
		return NULL;
	char *equals = strchr(line, '=');
	if (!equals)
		return "expected `key = value`";
	*equals = '\0';
	const char *key = trim(line);
	for (uint32_t i = 0; i < ARRAY_LEN(manifest_keys); i++) {
		if (strcmp(key, manifest_keys[i].name))
			continue;
		if (*seen & 1u << i)
			return "this key stood there before";
		*seen |= 1u << i;
		char *value = trim(equals + 1);
		return *value ? manifest_keys[i].parse(m, value) : "the value is empty";
	}
	return "unknown key";
}

/* Copy the next line out of [*cursor, end) and step over it. false: too long, or it holds a NUL. */
static bool take_line(const char **cursor, const char *end, char *line)
{
	const char *start = *cursor;
	const char *newline = memchr(start, '\n', (size_t)(end - start));
	size_t length = (size_t)((newline ? newline : end) - start);
	*cursor = newline ? newline + 1 : end;
	if (length >= MANIFEST_LINE_BYTES || memchr(start, '\0', length))
		return false;
	memcpy(line, start, length);
	line[length] = '\0';
	return true;
}

/* What no single line can tell. */
static const char *check_whole(const struct manifest *m)
{
	if (!m->name[0])
		return "the key `name` is missing";
	if (!m->binary[0])
		return "the key `binary` is missing";
	if (m->stack_bytes >= m->memory_bytes)
		return "the stack is not smaller than the memory ceiling";
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (!strcmp(m->service[i], m->name))
			return "a service cannot need itself";
	}
	for (uint32_t i = 0; m->mount[0] && i < m->mounts_count; i++) {
		if (!strcmp(m->mounts[i], m->mount))
			return "a file system cannot need its own mount";
	}
	return NULL;
}

err_t manifest_parse(const char *file, const char *text, size_t bytes, char *reason, size_t reason_bytes,
	struct manifest *out)
{
	struct manifest m = {
		.memory_bytes = 16ull << 20,
		.stack_bytes = 64ull << 10,
		.activations = 4,
		.restart_limit = 5,
	};
	char line[MANIFEST_LINE_BYTES];
	uint32_t seen = 0;
	unsigned number = 0;
	const char *why = NULL;
	for (const char *cursor = text, *end = text + bytes; cursor < end && !why;) {
		number++;
		why = take_line(&cursor, end, line) ? parse_line(&m, line, &seen) : "the line is too long, or not text";
	}
	if (!why)
		why = check_whole(&m);
	if (why) {
		snprintf(reason, reason_bytes, "%s:%u: %s", file, number, why);
		return ERR_BAD_FORMAT;
	}
	*out = m;
	return OK;
}

const char *manifest_argument(const struct manifest *m, uint32_t index)
{
	if (index >= m->argument_count)
		return NULL;
	const char *argument = m->arguments;
	while (index--)
		argument += strlen(argument) + 1;
	return argument;
}

bool manifest_allows_service(const struct manifest *m, const char *name)
{
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (!strcmp(m->service[i], name))
			return true;
	}
	return m->stdio_console && !strcmp(name, "console");
}

bool manifest_allows_mount(const struct manifest *m, const char *prefix)
{
	if (m->mounts_all)
		return true;
	for (uint32_t i = 0; i < m->mounts_count; i++) {
		if (!strcmp(m->mounts[i], prefix))
			return true;
	}
	return false;
}
