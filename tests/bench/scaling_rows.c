/* SPDX-License-Identifier: BSD-2-Clause */
/* scaling_rows.c - the same work by one thread and by two at once, on files of their own and on
 * one that they share. The argument is the number of threads; a result is the wall time of all
 * divided by the operations of all, so that perfect scaling halves it. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_MAX 2
#define PAGE_BYTES 4096u
#define FILE_PAGES 256u

static struct worker {
	pthread_t thread;
	bool running;
	bool good;
	unsigned number;
	int fd;
	char path[BENCH_PATH_BYTES]; /* its file, or the name that it creates */
	unsigned char buffer[PAGE_BYTES] __attribute__((aligned(4096)));
} workers[THREADS_MAX];

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool started;
	uint64_t count;
	bool (*work)(struct worker *w, uint64_t count);
} round_ = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *work_once(void *worker)
{
	struct worker *w = worker;
	pthread_mutex_lock(&round_.lock);
	while (!round_.started)
		pthread_cond_wait(&round_.changed, &round_.lock);
	pthread_mutex_unlock(&round_.lock);
	w->good = round_.work(w, round_.count);
	return NULL;
}

static bool enough_cpus(struct bench *b, uint64_t threads)
{
	return native_cpus() >= threads || bench_fail(b, "needs 2 CPUs", 0);
}

/* ---- The work ---- */

static bool read_pages(struct worker *w, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t page = i % FILE_PAGES, word;
		if (pread(w->fd, w->buffer, PAGE_BYTES, (off_t)(page * PAGE_BYTES)) != (ssize_t)PAGE_BYTES)
			return false;
		memcpy(&word, w->buffer, 8);
		if (word != page)
			return false;
	}
	return true;
}

static bool write_pages(struct worker *w, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t page = i % FILE_PAGES;
		memcpy(w->buffer, &page, 8);
		if (pwrite(w->fd, w->buffer, PAGE_BYTES, (off_t)(page * PAGE_BYTES)) != (ssize_t)PAGE_BYTES)
			return false;
	}
	return true;
}

static bool create_unlink(struct worker *w, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || close(fd) || unlink(w->path))
			return false;
	}
	return true;
}

/* ---- Before and after ---- */

static bool make_files(struct bench *b, bool shared)
{
	for (unsigned i = 0; i < b->argument; i++) {
		struct worker *w = &workers[i];
		w->number = i;
		if (snprintf(w->path, sizeof w->path, "%s/bench.scale%u", b->directory, shared ? 0 : i) >= (int)sizeof w->path)
			return bench_fail(b, "the directory's path is too long", 0);
		w->fd = open(w->path, O_RDWR | O_CREAT, 0600);
		if (w->fd < 0 || !write_pages(w, FILE_PAGES))
			return bench_fail(b, w->path, errno);
	}
	return true;
}

static bool own_files(struct bench *b)
{
	return enough_cpus(b, b->argument) && make_files(b, false);
}

static bool one_file(struct bench *b)
{
	return enough_cpus(b, b->argument) && make_files(b, true);
}

static bool make_names(struct bench *b, bool shared)
{
	for (unsigned i = 0; i < b->argument; i++) {
		struct worker *w = &workers[i];
		w->fd = -1;
		snprintf(w->path, sizeof w->path, "%.*s/bench.dir%u", BENCH_PATH_BYTES - 64, b->directory, shared ? 0 : i);
		if (mkdir(w->path, 0755) && errno != EEXIST)
			return bench_fail(b, w->path, errno);
		snprintf(w->path, sizeof w->path, "%.*s/bench.dir%u/name%u", BENCH_PATH_BYTES - 64, b->directory,
			shared ? 0 : i, i);
	}
	return true;
}

static bool own_directories(struct bench *b)
{
	return enough_cpus(b, b->argument) && make_names(b, false);
}

static bool one_directory(struct bench *b)
{
	return enough_cpus(b, b->argument) && make_names(b, true);
}

static void release(struct bench *b, bool started)
{
	(void)b;
	pthread_mutex_lock(&round_.lock);
	round_.started = started;
	pthread_cond_broadcast(&round_.changed);
	pthread_mutex_unlock(&round_.lock);
}

static bool join_all(void)
{
	bool good = true;
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		if (workers[i].running) {
			pthread_join(workers[i].thread, NULL);
			workers[i].running = false;
			good = good && workers[i].good;
		}
	}
	return good;
}

/* Threads that wait for the start. */
static bool start_workers(struct bench *b, uint64_t count, bool (*work)(struct worker *, uint64_t))
{
	release(b, false);
	round_.count = count;
	round_.work = work;
	for (unsigned i = 0; i < b->argument; i++) {
		int error = pthread_create(&workers[i].thread, NULL, work_once, &workers[i]);
		if (error)
			return bench_fail(b, "pthread_create", error);
		workers[i].running = true;
	}
	return true;
}

static bool start_reading(struct bench *b, uint64_t count)
{
	return start_workers(b, count, read_pages);
}

static bool start_writing(struct bench *b, uint64_t count)
{
	return start_workers(b, count, write_pages);
}

static bool start_creating(struct bench *b, uint64_t count)
{
	return start_workers(b, count, create_unlink);
}

static bool work_all(struct bench *b, uint64_t count)
{
	(void)count;
	release(b, true);
	return join_all() || bench_fail(b, "a thread's work went wrong", 0);
}

static void end_files(struct bench *b)
{
	release(b, true);
	join_all();
	for (unsigned i = 0; i < b->argument; i++) {
		if (workers[i].fd > 0)
			close(workers[i].fd);
		unlink(workers[i].path);
		workers[i].fd = 0;
		snprintf(workers[i].path, sizeof workers[i].path, "%.*s/bench.dir%u", BENCH_PATH_BYTES - 64, b->directory, i);
		rmdir(workers[i].path);
	}
}

#define SCALE_ROW(name, text, threads, n, begin, start) \
	{ \
		.id = name, .what = text, .argument = threads, .count = n, .divide = threads, .setup = begin, \
		.prepare = start, .body = work_all, .teardown = end_files \
	}
#define SCALE(name, text, n, begin, start) \
	SCALE_ROW(name "_1", text ", 1 thread", 1, n, begin, start), \
		SCALE_ROW(name "_2", text ", 2 threads", 2, n, begin, start)

static const struct row rows[] = {
	SCALE("scale_read", "pread 4 KiB, files of their own", 5000, own_files, start_reading),
	SCALE("scale_write", "pwrite 4 KiB, files of their own", 5000, own_files, start_writing),
	SCALE("scale_create", "create + close + unlink, own directories", 1000, own_directories, start_creating),
	SCALE("scale_shared_read", "pread 4 KiB, one file", 5000, one_file, start_reading),
	SCALE("scale_shared_write", "pwrite 4 KiB, one file", 5000, one_file, start_writing),
	SCALE("scale_shared_create", "create + close + unlink, one directory", 1000, one_directory, start_creating),
};
const struct row_group scaling_rows = { rows, sizeof rows / sizeof rows[0] };
