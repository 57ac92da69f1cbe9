/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.h - yielding, and CPU sets of up to 64 CPUs. */
#ifndef LINTEL_SCHED_H
#define LINTEL_SCHED_H

#include <sys/cdefs.h>
#include <sys/types.h>
#include <sys/sched.h>

_BEGIN_STD_C

int sched_yield(void);
int sched_getcpu(void);

#define CPU_SETSIZE 64

typedef struct {
	unsigned long bits;
} cpu_set_t;

#define CPU_ZERO(set) ((void)((set)->bits = 0))
#define CPU_SET(cpu, set) ((void)((set)->bits |= 1ul << (cpu)))
#define CPU_CLR(cpu, set) ((void)((set)->bits &= ~(1ul << (cpu))))
#define CPU_ISSET(cpu, set) (((set)->bits >> (cpu)) & 1)
#define CPU_COUNT(set) __builtin_popcountl((set)->bits)

_END_STD_C

#endif
