/* SPDX-License-Identifier: BSD-2-Clause */
/* rounds.h - one round: the cast comes on, somebody dies, the others notice, and all is cleared away. */
#pragma once

#include "steps.h"

/* The kill comes `delay_ns` after the step was reached. NULL, or what is wrong; from then on nothing is certain.
 * *deaths grows by the processes that ended. */
const char *round_run(const struct step *step, uint64_t delay_ns, uint64_t *deaths);
