/* SPDX-License-Identifier: BSD-2-Clause */
/* compiler.h - attributes and small macros that every room may use. No code. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PACKED __attribute__((packed))
#define ALIGNED(n) __attribute__((aligned(n)))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define UNUSED __attribute__((unused))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define COLD __attribute__((cold, noinline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Clang checks these in `make lint`; gcc sees nothing. */
#ifdef __clang__
#define TA_CAP(name) __attribute__((capability(name)))
#define TA_GUARDED(l) __attribute__((guarded_by(l)))
#define TA_EXCL(...) __attribute__((requires_capability(__VA_ARGS__)))
#define TA_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define TA_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define TA_TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define TA_NONE __attribute__((no_thread_safety_analysis))
#else
#define TA_CAP(name)
#define TA_GUARDED(l)
#define TA_EXCL(...)
#define TA_ACQUIRE(...)
#define TA_RELEASE(...)
#define TA_TRY_ACQUIRE(...)
#define TA_NONE
#endif
