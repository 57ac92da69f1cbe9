/* SPDX-License-Identifier: BSD-2-Clause */
/* rounds.h - one round: the cast comes on, somebody dies, the others notice, and all is cleared away. */
#pragma once

#include "steps.h"

/* Once. Two servers live through all rounds: a regular one and a scarce one, with one activation a CPU. */
MUST_USE err_t rounds_init(void);

/* The kill comes `delay_ns` after the step was reached. NULL, or what is wrong; from then on nothing is certain.
 * *deaths grows by the processes that ended. */
const char *round_run(const struct step *step, uint64_t delay_ns, uint64_t *deaths);

/* Are all activations of the two servers there and free, on every CPU, and have they lost or kept nothing? */
const char *rounds_check(void);
void rounds_end(void); /* and they end, too */
