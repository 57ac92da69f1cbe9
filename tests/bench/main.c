/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - bench [GROUP...] [--quick] [--json] [--dir DIRECTORY...] [--only TEXT]
 *     [--rows ID,ID...] [--tree FILE] [--programs DIRECTORY]
 * Groups: files, memory, ipc, boot, programs, scaling; the first four if none is named. `files` runs in every --dir, by
 * default in /tmp and /pmem, as far as they are there; its row ids are "LABEL.row", LABEL the
 * directory's last component. */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORIES_MAX 8

enum group { GROUP_FILES,
	GROUP_MEMORY,
	GROUP_IPC,
	GROUP_BOOT,
	GROUP_PROGRAMS,
	GROUP_SCALING,
	GROUPS };
static const char *const group_names[GROUPS] = { "files", "memory", "ipc", "boot", "programs", "scaling" };

/* Without a word: what runs in seconds on any machine. */
#define GROUPS_USUAL (1u << GROUP_FILES | 1u << GROUP_MEMORY | 1u << GROUP_IPC | 1u << GROUP_BOOT)

static struct {
	struct bench bench;
	unsigned groups; /* bit n: group n */
	const char *directories[DIRECTORIES_MAX];
	size_t directory_count;
	const char *only;       /* rows whose id contains it */
	const char *rows;       /* rows whose id is one of these, between commas */
	const char *group_name; /* of the rows that are running */
	unsigned ran, failed;
} program;

static unsigned char buffer[BUFFER_BYTES] __attribute__((aligned(4096)));

static const char *with_commas(char *text, size_t bytes, uint64_t value)
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
	size_t out = 0;
	for (int i = 0; i < length && out + 2 < bytes; i++) {
		if (i && (length - i) % 3 == 0)
			text[out++] = ',';
		text[out++] = digits[i];
	}
	text[out] = '\0';
	return text;
}

/* Whole units from 100 on, one decimal below. */
static const char *value_text(char *text, size_t bytes, uint64_t milli)
{
	if (milli >= 100000)
		return with_commas(text, bytes, (milli + 500) / 1000);
	snprintf(text, bytes, "%u.%u", (unsigned)(milli / 1000), (unsigned)(milli % 1000 / 100));
	return text;
}

static void json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= 0x20)
			putchar(*text);
	}
	putchar('"');
}

static void json_milli(const char *name, uint64_t milli)
{
	printf(", \"%s\": %" PRIu64 ".%03u", name, milli / 1000, (unsigned)(milli % 1000));
}

/* `figure` NULL: b->reason says why there is none. */
static void print_json(const struct bench *b, const struct row *row, const char *id, const struct figure *figure,
	uint64_t copy)
{
	printf("{\"row\": ");
	json_string(id);
	printf(", \"group\": \"%s\", \"what\": ", program.group_name);
	json_string(row->what);
	if (!figure) {
		printf(", \"error\": ");
		json_string(b->reason);
		printf("}\n");
		return;
	}
	json_milli("value", figure->milli);
	printf(", \"unit\": \"%s\", \"copy\": %" PRIu64, b->exact ? "insn" : "ns", copy);
	if (figure->operations)
		printf(", \"operations\": %" PRIu64, figure->operations);
	if (figure->counted) {
		json_milli("tlb_flushes", figure->costs.tlb_flushes);
		json_milli("root_switches", figure->costs.root_switches);
		json_milli("ipis", figure->costs.ipis);
		json_milli("switches", figure->costs.switches);
	}
	printf("}\n");
}

/* ---- Tables: a line a row, a column a directory, the copy's own cost last ---- */

#define WHAT_COLUMNS 44
#define VALUE_COLUMNS 12

static void print_heading(const char *title, const char *const *columns, size_t count, bool copies)
{
	if (program.bench.json)
		return;
	char text[WHAT_COLUMNS];
	snprintf(text, sizeof text, "%s, %s", title, program.bench.exact ? "instructions" : "nanoseconds");
	printf("\n%-*s", WHAT_COLUMNS + 2, text);
	for (size_t i = 0; i < count; i++)
		printf(" %*s", VALUE_COLUMNS, columns[i]);
	printf(copies ? " %*s\n" : "\n", VALUE_COLUMNS, "copy alone");
}

/* Of rows without a place, where the system tells; else the table has no such columns. */
static const char *const costs_heading[] = { "", "TLB flushes", "IPIs", "switches" };
#define COSTS_COLUMNS (sizeof costs_heading / sizeof costs_heading[0])

static void print_costs(const struct costs *costs)
{
	const uint64_t cells[] = { costs->tlb_flushes, costs->ipis, costs->switches };
	char text[32];
	for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
		printf(" %*s", VALUE_COLUMNS, value_text(text, sizeof text, cells[i]));
}

/* One row in one place. A failure's reason is kept in `reason` for below the line. */
static void run_cell(const struct row *row, const char *label, char *reason)
{
	struct bench *b = &program.bench;
	char id[96], text[32];
	struct figure figure;
	uint64_t copy = 0;
	snprintf(id, sizeof id, "%s%s%s", label, *label ? "." : "", row->id);
	bool good = measure_row(b, row, &figure);
	if (good)
		copy = clock_copy_ticks(b, row->copy_bytes);
	program.ran++;
	program.failed += !good;
	reason[0] = '\0';
	if (b->json) {
		print_json(b, row, id, good ? &figure : NULL, copy);
	} else {
		printf(" %*s", VALUE_COLUMNS, good ? value_text(text, sizeof text, figure.milli) : "-");
		if (good && figure.counted && !*label)
			print_costs(&figure.costs);
		if (!good)
			strcpy(reason, b->reason);
	}
	fflush(stdout);
}

static const char *label_of(const char *directory)
{
	const char *slash = strrchr(directory, '/');
	return slash && slash[1] ? slash + 1 : directory;
}

static void print_end_of_line(const struct row *row)
{
	char text[32];
	if (row->copy_bytes)
		printf(" %*s", VALUE_COLUMNS,
			value_text(text, sizeof text, clock_copy_ticks(&program.bench, row->copy_bytes) * 1000));
	printf("\n");
}

/* Is `id` one of the words between commas? */
static bool is_in_list(const char *list, const char *id)
{
	size_t length = strlen(id);
	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, id, length) && (at[length] == ',' || !at[length]))
			return true;
	}
	return false;
}

static bool is_wanted(const struct row *row)
{
	if (row->slow && !program.rows)
		return false;
	return (!program.only || strstr(row->id, program.only)) && (!program.rows || is_in_list(program.rows, row->id));
}

/* `places` are directories, or one "" for rows that need none. */
static void run_row(const struct row *row, const char *const *places, size_t count)
{
	char reasons[DIRECTORIES_MAX][BENCH_REASON_BYTES];
	if (!is_wanted(row))
		return;
	if (!program.bench.json)
		printf("  %-*s", WHAT_COLUMNS, row->what);
	for (size_t i = 0; i < count; i++) {
		program.bench.directory = places[i];
		run_cell(row, label_of(places[i]), reasons[i]);
	}
	if (program.bench.json)
		return;
	print_end_of_line(row);
	for (size_t i = 0; i < count; i++) {
		if (reasons[i][0])
			printf("    did not run%s%s: %s\n", *places[i] ? " on " : "", places[i], reasons[i]);
	}
}

static void run_rows(const struct row_group *group, const char *const *places, size_t count)
{
	for (size_t i = 0; i < group->count; i++)
		run_row(&group->rows[i], places, count);
}

static const char *const nowhere[] = { "" };

/* Rows that need no directory. */
static void print_costs_heading(const char *title)
{
	struct costs costs;
	print_heading(title, costs_heading, native_costs(&costs) ? COSTS_COLUMNS : 1, false);
}

static void run_files(void)
{
	const char *const *places = program.directories;
	size_t count = program.directory_count;
	print_heading("files", places, count, true);
	run_rows(&data_rows, places, count);
	run_rows(&name_rows, places, count);
	run_rows(&map_rows, places, count);
}

/* The TSC at this program's start: from power-on where it counts instructions. */
static void run_boot(uint64_t start_ticks)
{
	static const struct row row = { .id = "to_program", .what = "power-on to the first program that was asked for" };
	struct bench *b = &program.bench;
	if (!b->exact)
		bench_fail(b, "only counted in instructions", 0);
	const struct figure figure = { .milli = start_ticks * 1000 };
	if (b->json)
		print_json(b, &row, row.id, b->exact ? &figure : NULL, 0);
	else if (b->exact)
		printf("\nfrom power-on to this program: %" PRIu64 " instructions\n", start_ticks);
}

/* Is the group wanted? */
static bool begin_group(enum group group)
{
	program.group_name = group_names[group];
	return program.groups & 1u << group;
}

static void run_groups(uint64_t start_ticks)
{
	if (begin_group(GROUP_BOOT))
		run_boot(start_ticks);
	if (begin_group(GROUP_FILES))
		run_files();
	if (begin_group(GROUP_PROGRAMS)) {
		print_heading("programs", program.directories, program.directory_count, false);
		run_rows(&program_rows, program.directories, program.directory_count);
		run_rows(&application_rows, program.directories, program.directory_count);
	}
	if (begin_group(GROUP_SCALING)) {
		print_heading("scaling", program.directories, program.directory_count, false);
		run_rows(&scaling_rows, program.directories, program.directory_count);
		print_costs_heading("two CPUs in one space");
		run_rows(&shared_space_rows, nowhere, 1);
		print_costs_heading("calls by one thread and by two");
		run_rows(&native_scaling_rows, nowhere, 1);
	}
	if (begin_group(GROUP_MEMORY)) {
		print_costs_heading("memory");
		run_rows(&memory_rows, nowhere, 1);
	}
	if (begin_group(GROUP_IPC)) {
		print_costs_heading("calls and threads");
		run_rows(&native_rows, nowhere, 1);
		run_rows(&native_wake_rows, nowhere, 1);
		run_rows(&thread_rows, nowhere, 1);
	}
}

static bool take_group(const char *name)
{
	for (unsigned g = 0; g < GROUPS; g++) {
		if (!strcmp(name, group_names[g])) {
			program.groups |= 1u << g;
			return true;
		}
	}
	if (!strcmp(name, "all")) {
		program.groups = GROUPS_USUAL;
		return true;
	}
	fprintf(stderr, "bench: no group or option %s; groups are files, memory, ipc, boot, programs, scaling, all; "
					"options --quick, --json, "
					"--dir DIRECTORY, --only TEXT, --rows ID,ID, --tree FILE, --programs DIRECTORY\n",
		name);
	return false;
}

static bool take_directory(const char *path)
{
	struct stat st;
	int error = stat(path, &st) ? errno : S_ISDIR(st.st_mode) ? 0
															  : ENOTDIR;
	if (!error && program.directory_count == DIRECTORIES_MAX)
		error = E2BIG;
	if (error)
		fprintf(stderr, "bench: --dir %s: %s\n", path, strerror(error));
	else
		program.directories[program.directory_count++] = path;
	return !error;
}

static bool take_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick")) {
			program.bench.quick = true;
		} else if (!strcmp(argv[i], "--json")) {
			program.bench.json = true;
		} else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
			program.only = argv[++i];
		} else if (!strcmp(argv[i], "--rows") && i + 1 < argc) {
			program.rows = argv[++i];
		} else if (!strcmp(argv[i], "--tree") && i + 1 < argc) {
			program.bench.tree = argv[++i];
		} else if (!strcmp(argv[i], "--programs") && i + 1 < argc) {
			program.bench.programs = argv[++i];
		} else if (!strcmp(argv[i], "--dir") && i + 1 < argc) {
			if (!take_directory(argv[++i]))
				return false;
		} else if (!take_group(argv[i])) {
			return false;
		}
	}
	return true;
}

/* Without --dir: the two file systems of a Lintel machine, as far as they are there. */
static void default_directories(void)
{
	static const char *const usual[] = { "/tmp", "/pmem" };
	struct stat st;
	for (size_t i = 0; i < 2 && program.directory_count < DIRECTORIES_MAX; i++) {
		if (!stat(usual[i], &st) && S_ISDIR(st.st_mode))
			program.directories[program.directory_count++] = usual[i];
	}
}

int main(int argc, char **argv)
{
	struct bench *b = &program.bench;
	int status;
	uint64_t start_ticks = clock_tsc();
	if (native_child(argc, argv, &status))
		return status;
	if (!take_arguments(argc, argv))
		return 2;
	if (strchr(argv[0], '/'))
		bench_program = argv[0];
	if (!program.groups)
		program.groups = GROUPS_USUAL;
	if (!program.directory_count)
		default_directories();
	b->buffer = buffer;
	memset(buffer, 1, sizeof buffer);
	clock_calibrate(b);
	run_groups(start_ticks);
	if (!b->json)
		printf("\n%s per operation; minimum of %s repetitions; each row's work is checked\n",
			b->exact ? "Instructions" : "Nanoseconds", b->quick ? "3" : "5");
	if (program.failed)
		fprintf(stderr, "bench: %u of %u measurements could not be made\n", program.failed, program.ran);
	return program.failed ? 1 : 0;
}
