/* SPDX-License-Identifier: BSD-2-Clause */
/* tls.h - what code needs to run: a stack and a block of thread-local storage, made in one mapping.
 * pthread_create uses it for threads, servers/kit for activations. */
#pragma once

#include <lintel/types.h>

/* Map a stack of at least `stack_bytes` with an unmapped page below it, and above it a fresh thread-local block.
 * *stack_top is 16-byte aligned; *thread_pointer is the FS base, and names the whole for tls_destroy. Code that runs on
 * them has its own errno, pthread_self() and door_scratch().
 * Returns ERR_ARGS, ERR_NO_MEMORY, ERR_LIMIT; both outputs untouched then. */
MUST_USE err_t tls_create(size_t stack_bytes, void **stack_top, void **thread_pointer);

/* Unmap it, its scratch buffer and its malloc cache. Nothing may be running on it. */
void tls_destroy(void *thread_pointer);
