/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - cold load SEED WORKERS [STEPS]: works until the machine is killed, or each worker has done so many steps.
 * cold check SEED PROMISED...: one number for each worker; afterwards the folders are gone.
 * cold clear WORKERS: removes what a kill has left of a removal. */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	uint64_t promised[COLD_WORKERS_MAX];
	const uint32_t workers = (uint32_t)argc - 3;

	if ((argc == 4 || argc == 5) && strcmp(argv[1], "load") == 0) {
		const unsigned long wanted = strtoul(argv[3], NULL, 0);
		if (wanted >= 1 && wanted <= COLD_WORKERS_MAX)
			return cold_load(strtoull(argv[2], NULL, 0), (uint32_t)wanted, argc == 5 ? strtoull(argv[4], NULL, 0) : 0);
	} else if (argc > 3 && workers <= COLD_WORKERS_MAX && strcmp(argv[1], "check") == 0) {
		for (uint32_t i = 0; i < workers; i++)
			promised[i] = strtoull(argv[3 + i], NULL, 0);
		return cold_check(strtoull(argv[2], NULL, 0), workers, promised);
	} else if (argc == 3 && strcmp(argv[1], "clear") == 0) {
		return cold_clear((uint32_t)strtoul(argv[2], NULL, 0));
	}
	fprintf(stderr, "usage: cold load SEED WORKERS [STEPS] | cold check SEED PROMISED... | cold clear WORKERS\n");
	return 2;
}
