/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/_pthreadtypes.h - the types of threads. Members belong to libc: programs use the functions and initialisers.
 * Words are futex words; a member that several threads touch is only accessed with __atomic builtins. */
#ifndef LINTEL_SYS_PTHREADTYPES_H
#define LINTEL_SYS_PTHREADTYPES_H

typedef struct pthread *pthread_t;

typedef struct {
	unsigned long stack_bytes;
	int detached;
	int unused;
} pthread_attr_t;

typedef struct {
	unsigned int word;    /* 0 free, 1 held, 2 held and somebody may sleep */
	unsigned int kind;    /* PTHREAD_MUTEX_... */
	struct pthread *owner; /* recursive and error-checking mutexes only */
	unsigned int depth;   /* of a recursive mutex, beyond the first */
	unsigned int unused;
} pthread_mutex_t;

typedef struct {
	int kind;
} pthread_mutexattr_t;

typedef struct {
	unsigned int sequence; /* changes with every signal */
	unsigned int waiters;
	unsigned long clock;
} pthread_cond_t;

typedef struct {
	unsigned long clock;
} pthread_condattr_t;

typedef struct {
	unsigned int state;    /* number of readers, or the writer's mark */
	unsigned int sequence; /* changes when sleepers should look again */
	unsigned int waiters;
	unsigned int unused;
} pthread_rwlock_t;

typedef struct {
	int unused;
} pthread_rwlockattr_t;

typedef struct {
	unsigned int count;
	unsigned int waiting;
	unsigned int sequence;
	unsigned int lock;
} pthread_barrier_t;

typedef struct {
	int unused;
} pthread_barrierattr_t;

typedef unsigned int pthread_spinlock_t;
typedef unsigned int pthread_key_t;

typedef struct {
	unsigned int state; /* 0 not run, 1 running, 2 running and somebody sleeps, 3 done */
} pthread_once_t;

#endif
