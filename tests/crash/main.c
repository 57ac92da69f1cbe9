/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - which sequences are run, by how many processes, and what is told.
 *
 *   crash [--states N] [--seconds S] [--jobs J] [--seed X] [--limit L] [--random R]
 *       each operation with no room, some, and enough; all sequences of length 0, 1 and 2; then random ones and two
 *       clients, until N distinct images and S seconds (whichever is asked for) have been reached
 *   crash --slice S [--seed X]
 *       S seconds of all lengths mixed, chosen by the seed
 *   crash --clients 2 [--states N] [--seconds S] ...
 *       two clients only, chosen by the seed
 *   crash --replay SEQUENCE [MOMENT STATE]
 *       one sequence (as a failure prints it); of it, one moment and one state
 *   crash --trace TRACE MEDIA SEED WORKERS STEPS
 *       what a whole machine did to its NVDIMM (trace.c)
 *   crash --list */
#include "engine.h"
#include "clients.h"

#include "fs/pmfs/layout.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

uint32_t random_states = 16;
uint32_t states_limit = 300;

static struct options {
	uint64_t states;
	uint64_t seconds;
	uint64_t jobs;
	uint64_t seed;
	uint64_t slice;
	uint64_t clients;
	const char *replay;
	uint32_t moment;
	uint64_t state;
	struct trace_options trace;
} options = { .jobs = 2, .seed = 1 };

static struct run run;
static struct model base_model;
static uint64_t base_hash;
static double started;

int __real_clock_gettime(clockid_t clock, struct timespec *out);

static double now_s(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void base_use(const struct base *base)
{
	static const struct base *have;

	if (have == base)
		return;
	if (have != NULL)
		model_free(&base_model);
	have = base;
	base_make(base, &base_model);
	base_hash = mix64((uint64_t)(base - bases) + 1);
	const struct pmfs_super *super = (const void *)media_base;
	media_journals(PMFS_JOURNAL_BLOCK * PMFS_BLOCK, super->first_data_block * PMFS_BLOCK);
}

static bool enough(void)
{
	if (counts->failures != 0)
		return true;
	if (options.slice != 0)
		return now_s() - started > (double)options.slice;
	return counts->images >= options.states && now_s() - started >= (double)options.seconds;
}

static bool one(const struct sequence *s)
{
	base_use(s->base);
	if (sequence_run(&run, s, &base_model, base_hash))
		return true;
	count(&counts->failures, 1);
	return false;
}

/* --- which --- */

static void random_sequence(struct sequence *s, uint64_t seed, uint32_t shortest)
{
	uint64_t r = seed;

	*s = (struct sequence) { .seed = seed };
	s->base = &bases[random_next(&r) % 8 < 5 ? 0 : random_next(&r) % bases_count];
	s->clients = random_next(&r) % 2 == 0 || options.clients == 2 ? 2 : 1;
	if (s->clients > 1 && (s->base->cpus < s->clients || s->base->may_be_full))
		s->base = &bases[0]; /* what of two finds no room cannot be said beforehand */
	for (uint32_t c = 0; c < s->clients; c++) {
		s->length[c] = shortest + (uint32_t)(random_next(&r) % (s->clients > 1 ? 2 : 4));
		for (uint32_t i = 0; i < s->length[c]; i++)
			do { /* stores through a mapping are ordered with the other client's writes by nobody, copies with those of
			      * what they copy by pieces; and each client has its CPU */
				s->operation[c][i] = operation_choose(s->base, &r);
			} while (s->clients > 1 && (strstr(s->operation[c][i]->name, "mapped") != NULL ||
					strstr(s->operation[c][i]->name, "leased") != NULL ||
					strncmp(s->operation[c][i]->name, "copy", 4) == 0 ||
					strstr(s->operation[c][i]->name, "cpu") != NULL));
	}
	s->first = s->clients == 1 && s->length[0] > 2 ? s->length[0] - 2 : 0;
}

/* Sequence number n of those of length 0, 1 and 2 on a base; false: there are no more. */
static bool short_sequence(struct sequence *s, const struct base *base, uint64_t n)
{
	const uint64_t k = operations_count;

	*s = (struct sequence) { .base = base, .clients = 1, .seed = options.seed };
	if (n == 0)
		return true;
	if (--n < k) {
		s->length[0] = 1;
		s->operation[0][0] = &operations[n];
		return base->wants == NULL || base->wants(&operations[n]);
	}
	n -= k;
	s->length[0] = 2;
	s->first = 1;
	s->operation[0][0] = &operations[n / k % k];
	s->operation[0][1] = &operations[n % k];
	return base->wants == NULL || (base->wants(s->operation[0][0]) && base->wants(s->operation[0][1]));
}

static uint64_t short_count(void)
{
	return 1 + operations_count + (uint64_t)operations_count * operations_count;
}

/* Those that every run begins with. */
static bool run_first(uint64_t job)
{
	const uint32_t count = sequences_cut_again_count + sequences_killed_count;
	struct sequence s;

	for (uint64_t i = job; i < count; i += options.jobs) {
		const bool killed = i >= sequences_cut_again_count;
		if (!sequence_parse(killed ? sequences_killed[i - sequences_cut_again_count] : sequences_cut_again[i],
				options.seed, &s))
			abort();
		s.cut_again = !killed;
		if (!one(&s))
			return false;
	}
	return true;
}

/* First those of length 0 and 1 on every base, then the pairs. */
static bool run_all_short(uint64_t job)
{
	struct sequence s;

	for (uint32_t pass = 0; pass < 2; pass++) {
		const uint64_t from = pass == 0 ? 0 : 1 + operations_count;
		const uint64_t to = pass == 0 ? 1 + operations_count : short_count();
		for (uint32_t b = 0; b < bases_count; b++)
			for (uint64_t n = from + job; n < to && counts->failures == 0; n += options.jobs)
				if (short_sequence(&s, &bases[b], n) && !one(&s))
					return false;
	}
	return true;
}

/* With no free block, one, and so on, up to enough. */
static bool run_full(const struct base *base, const struct operation *o)
{
	struct sequence s = { .base = base, .clients = 1, .seed = options.seed, .length = { 1 } };

	s.operation[0][0] = o;
	do {
		s.room++;
		if (!one(&s))
			return false;
	} while (run.room_met);
	return true;
}

static bool run_all_full(uint64_t job)
{
	for (uint32_t b = 0; b < bases_count; b++)
		for (uint64_t n = job; n < operations_count && counts->failures == 0; n += options.jobs)
			if (!bases[b].may_be_full && (bases[b].wants == NULL || bases[b].wants(&operations[n])) &&
					!run_full(&bases[b], &operations[n]))
				return false;
	return true;
}

static bool run_random(uint64_t job)
{
	struct sequence s;

	for (uint64_t n = job; !enough(); n += options.jobs) {
		random_sequence(&s, options.seed * 1000003 + n, 2);
		if (!one(&s))
			return false;
	}
	return true;
}

static bool run_slice(uint64_t job)
{
	uint64_t r = options.seed * 7919 + job;
	struct sequence s;

	while (!enough()) {
		const struct base *base = &bases[random_next(&r) % 8 < 5 ? 0 : random_next(&r) % bases_count];
		if (random_next(&r) % 3 == 0)
			random_sequence(&s, random_next(&r) >> 16, 1);
		else if (!short_sequence(&s, base, random_next(&r) % (random_next(&r) % 4 == 0 ? operations_count + 1
				: short_count())))
			continue;
		if (!one(&s))
			return false;
	}
	return true;
}

/* --- told --- */

static void tell(const char *what)
{
	const double seconds = now_s() - started;

	printf("crash: %s%llu images (%.0f a second, %.0f s), %llu states at %llu moments of %llu sequences, "
			"%llu mounted, %llu used, %llu cuts in recovery, %llu kills and %llu more in recovery with %llu cuts\n",
			what,
			(unsigned long long)counts->images,
			(double)counts->images / seconds, seconds, (unsigned long long)counts->tried,
			(unsigned long long)counts->points, (unsigned long long)counts->sequences,
			(unsigned long long)counts->mounts, (unsigned long long)counts->uses,
			(unsigned long long)counts->recoveries, (unsigned long long)counts->kills,
			(unsigned long long)counts->deaths, (unsigned long long)counts->killed);
	fflush(stdout);
}

static int job_main(uint64_t job)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!run_first(job))
		return 1;
	if (options.slice != 0)
		return !run_slice(job);
	return !((options.clients == 2 || (run_all_full(job) && run_all_short(job))) && run_random(job));
}

static bool jobs_run(void)
{
	uint32_t left = (uint32_t)options.jobs;
	double told = now_s();
	bool good = true;

	fflush(stdout);
	for (uint64_t job = 0; job < options.jobs; job++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(job_main(job));
		if (pid < 0)
			return false;
	}
	while (left != 0) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0) {
			left--;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
				good = false;
				count(&counts->failures, 1);
				if (!WIFEXITED(status))
					fprintf(stderr, "crash: FAILED: a job died of signal %d\n", WTERMSIG(status));
			}
			continue;
		}
		usleep(50000);
		if (now_s() - told > 10) {
			told = now_s();
			tell("");
		}
	}
	return good;
}

/* --- replay --- */

static int replay(void)
{
	struct sequence s;

	if (!sequence_parse(options.replay, options.seed, &s)) {
		fprintf(stderr, "crash: there is no such sequence\n");
		return 2;
	}
	run.only_point = options.moment;
	run.only_state = options.state;
	const bool good = one(&s);
	tell(good ? "no failure: " : "");
	return !good;
}

static void list(void)
{
	for (uint32_t i = 0; i < bases_count; i++)
		printf("base %s\n", bases[i].name);
	for (uint32_t i = 0; i < operations_count; i++)
		printf("%s\n", operations[i].name);
}

static void parse_trace(char **argv)
{
	options.trace = (struct trace_options) { .trace = argv[0], .media = argv[1], .seed = strtoull(argv[2], NULL, 10),
		.workers = (uint32_t)strtoul(argv[3], NULL, 10), .steps = strtoull(argv[4], NULL, 10) };
}

static bool options_parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--list") == 0) {
			list();
			exit(0);
		}
		if (value == NULL)
			return false;
		if (strcmp(argv[i], "--trace") == 0 && argc == i + 6) {
			parse_trace(argv + i + 1);
			return true;
		}
		if (strcmp(argv[i], "--replay") == 0) {
			options.replay = value;
			if (i + 3 < argc) {
				options.moment = (uint32_t)strtoul(argv[i + 2], NULL, 10);
				options.state = strtoull(argv[i + 3], NULL, 16);
				i += 2;
			}
		} else if (strcmp(argv[i], "--states") == 0) {
			options.states = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--seconds") == 0) {
			options.seconds = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--jobs") == 0) {
			options.jobs = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--seed") == 0) {
			options.seed = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--slice") == 0) {
			options.slice = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--clients") == 0) {
			options.clients = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--limit") == 0) {
			states_limit = (uint32_t)strtoul(value, NULL, 10);
		} else if (strcmp(argv[i], "--random") == 0) {
			random_states = (uint32_t)strtoul(value, NULL, 10);
		} else {
			return false;
		}
		i++;
	}
	return options.jobs > 0 && options.jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	if (!options_parse(argc, argv)) {
		fprintf(stderr, "usage: see tests/crash/main.c\n");
		return 2;
	}
	counts_make(options.slice != 0 || options.replay != NULL ? 21 : 25);
	started = now_s();
	if (options.trace.trace != NULL)
		return trace_check(&options.trace);
	if (options.replay != NULL)
		return replay();
	const bool good = jobs_run();
	tell(good ? "all well: " : "FAILED: ");
	return !good;
}
