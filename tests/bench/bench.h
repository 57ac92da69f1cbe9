/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.h - one benchmark program for Lintel and Linux: what a row is, and how it is measured.
 * Everything but lintel/ and linux/ is POSIX and the same on both. Only the main thread measures.
 *
 * A row's body does `count` operations in a loop. One repetition is prepare, [clock] body
 * [clock], check; the result is the minimum over the repetitions of (ticks - the clock's own
 * cost - the empty loop's) / count. prepare and check are not timed. Units: guest instructions
 * where one TSC tick is one instruction (QEMU -icount shift=0), else nanoseconds. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PATH_BYTES 512
#define BENCH_REASON_BYTES 160
#define BUFFER_BYTES (1u << 20)
#define DATA_FILE_BYTES (8u << 20)

struct bench {
	/* Options. */
	bool quick;
	bool json;
	/* The clock (clock.c). */
	bool exact;               /* ticks are instructions */
	uint64_t clock_ticks;     /* that an empty measurement takes */
	uint64_t loop_milliticks; /* that one round of an empty loop takes, in 1/1000 */
	/* The row that is being measured. */
	const char *directory; /* files: where */
	const char *tree;      /* programs: a ustar archive; may be NULL */
	const char *programs;  /* programs: a directory of programs of others; may be NULL */
	char path[BENCH_PATH_BYTES];
	char other[BENCH_PATH_BYTES];
	int fd;
	uint64_t argument;               /* the row's */
	uint64_t prepared;               /* count of the repetition that is on */
	uint64_t moved;                  /* what body wants check to look at */
	void *memory;                    /* what a memory row has mapped */
	char reason[BENCH_REASON_BYTES]; /* why the row cannot run, or its work was wrong */
	unsigned char *buffer;           /* BUFFER_BYTES, page-aligned */
};

/* What the system has counted since power-on, of all CPUs together. */
struct costs {
	uint64_t tlb_flushes; /* of a page or of everything; loads of a root included where they flush */
	uint64_t root_switches;
	uint64_t ipis;
	uint64_t switches; /* from one thread to another */
};

/* A row's result, in thousandths of a unit per operation. */
struct figure {
	uint64_t milli;
	uint64_t operations; /* of the repetition that stretch.h shows; 0: it is shown with another row */
	bool counted;        /* `costs` are known: thousandths per operation, of that repetition */
	struct costs costs;
};

/* All return false after bench_fail; a failed row is reported and the next one runs. */
struct row {
	const char *id;
	const char *what;    /* one operation, for people */
	uint64_t argument;   /* bytes, pages, depth: the row's own */
	uint64_t count;      /* operations of one repetition; a tenth if quick */
	uint64_t copy_bytes; /* bytes that one operation moves: their cost is measured apart */
	uint64_t divide;     /* results are per this many pages, names ...; 0 = 1 */
	bool slow;           /* runs only if --rows names it */
	bool whole;          /* an operation is a whole program, long: two repetitions, no other before them */
	bool (*setup)(struct bench *b);                   /* once; may be NULL */
	bool (*prepare)(struct bench *b, uint64_t count); /* before each repetition; may be NULL */
	bool (*body)(struct bench *b, uint64_t count);    /* timed */
	bool (*check)(struct bench *b, uint64_t count);   /* after each repetition; may be NULL */
	void (*teardown)(struct bench *b);                /* always; may be NULL */
	/* Measures by itself, instead of prepare, body and check; may be NULL */
	bool (*measure)(struct bench *b, const struct row *row, struct figure *figure);
};

struct row_group {
	const struct row *rows;
	size_t count;
};

/* clock.c */
void clock_calibrate(struct bench *b);
uint64_t clock_ticks(const struct bench *b);
uint64_t clock_tsc(void);
/* What moving that many bytes once costs, cached: the same instruction on every system (rep movsq). */
uint64_t clock_copy_ticks(struct bench *b, uint64_t bytes);

/* measure.c. false: b->reason says why. */
bool measure_row(struct bench *b, const struct row *row, struct figure *figure);
/* What was counted from `before` on, by `operations` operations. Leaves figure->counted false where nobody counts. */
void measure_costs(struct figure *figure, const struct costs *before, uint64_t operations);

/* Keep a "why"; errno's text is added if `error` is not 0. Returns false. */
bool bench_fail(struct bench *b, const char *what, int error);
/* directory + "/" + name into b->path. */
bool bench_path(struct bench *b, const char *name);
/* Positions for random access, the same sequence every time. */
uint64_t bench_random(uint64_t *state);

/* The rows. */
extern const struct row_group data_rows;   /* data_rows.c: bytes of files */
extern const struct row_group name_rows;   /* name_rows.c: names */
extern const struct row_group map_rows;    /* map_rows.c: mapped files */
extern const struct row_group memory_rows; /* memory_rows.c: no files */
extern const struct row_group thread_rows; /* thread_rows.c: pthreads, spawn */
extern const struct row_group program_rows; /* program_rows.c: what programs do with files */
extern const struct row_group application_rows; /* application_rows.c: programs of others */
extern const struct row_group scaling_rows; /* scaling_rows.c: one thread and two */
extern const struct row_group shared_space_rows; /* memory_rows.c: two CPUs in one space */
/* What one system has: lintel/ or linux/. */
extern const struct row_group native_rows;         /* calls */
extern const struct row_group native_wake_rows;    /* waking and switching */
extern const struct row_group native_scaling_rows; /* calls by one thread and by two */

/* If this start of the program is the child of a row (argv[1] is CHILD_WORD), do its part and
 * return its status in *status. */
#define CHILD_WORD "--child"
#define CHILD_STATUS 7 /* of a child that has nothing else to do */
bool native_child(int argc, char **argv, int *status);
/* Asks for 2 MiB pages below an aligned mapping, or for none, where the system leaves the choice. */
void native_use_large_pages(void *memory, size_t bytes, bool large);
/* Disk space for the file in large pieces, where a system allocates as it is written to. */
void native_reserve(int fd, uint64_t bytes);
/* false: this system does not tell. */
bool native_costs(struct costs *out);
/* CPUs that run. */
unsigned native_cpus(void);
/* The thread stays on the first CPU, or goes where it likes. Returns 0 or an errno value. */
int native_pin(pthread_t thread, bool pinned);
/* This program's own file, for rows that start it again. */
extern const char *bench_program;
/* A program that ends at once with CHILD_STATUS when it is given CHILD_WORD and "exit". */
const char *native_tiny_program(void);
