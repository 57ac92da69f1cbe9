/* SPDX-License-Identifier: BSD-2-Clause */
/* startup.h - what a new process finds. Whoever spawns it maps a VMO with this block, readable and
 * writable, into the child and passes its address as the first argument of the entry point (rdi).
 * Offsets are bytes from the block's start. The block is data from the parent: libc checks every
 * offset before it follows it. */
#pragma once

#include <lintel/types.h>

#define STARTUP_MAGIC 0x5055545241545334ull /* "4STARTUP" as a big-endian reader sees it */
#define STARTUP_VERSION 1
#define STARTUP_BYTES_MAX (256u << 10)
#define STARTUP_HANDLES_MAX 64

enum startup_kind {
	STARTUP_PROCESS = 1,  /* the process itself, RIGHT_MANAGE */
	STARTUP_THREAD = 2,   /* its first thread */
	STARTUP_FD = 3,       /* argument: descriptor number; file/offset/flags below */
	/* argument: index into the mount names; door of the file system's root session */
	STARTUP_MOUNT = 4,
	STARTUP_RESOURCE = 5, /* argument: enum resource_kind */
	STARTUP_ARCHIVE = 6,  /* VMO over the boot archive (a ustar file); init only */
	/* argument: index into the service names; a door the manifest lets it call */
	STARTUP_SERVICE = 7,
	/* argument: index into the service names; the event on which it says it is ready */
	STARTUP_SERVE = 8,
	STARTUP_ZONE = 9,     /* VMO over a zone (a pmem namespace) */
	STARTUP_SYSINFO = 10  /* VMO over the system page, struct sysinfo_page */
};

/* What kind of descriptor a STARTUP_FD is. */
enum startup_fd_kind { STARTUP_FD_CONSOLE = 1, STARTUP_FD_FILE = 2 };

struct startup_handle {
	uint32_t kind;     /* enum startup_kind */
	uint32_t argument; /* see there */
	handle_t handle;
	uint32_t fd_kind;  /* STARTUP_FD only: enum startup_fd_kind */
	uint64_t file;     /* STARTUP_FD_FILE: the file's number in the session that `handle` is */
	uint64_t offset;   /* STARTUP_FD_FILE: the file offset */
	uint64_t flags;    /* STARTUP_FD: open flags, enum fs_open_flag */
};

/* Its last byte is 0, so that each string in it ends. */
struct startup_block {
	uint64_t magic;
	uint32_t version;
	uint32_t bytes;         /* of the whole block */
	uint32_t argc;
	uint32_t argv_offset;   /* argc offsets (uint32_t), each of a NUL-terminated string */
	uint32_t envc;
	uint32_t env_offset;    /* envc offsets likewise */
	uint32_t names;         /* mount prefixes and service names */
	uint32_t names_offset;  /* names offsets likewise */
	uint32_t handles;
	uint32_t handles_offset; /* struct startup_handle[handles], 8-byte aligned */
	uint32_t cwd_offset;    /* a NUL-terminated absolute path */
	uint32_t pad;
	/* lowest mapped address of the first thread's stack; a guard page lies below */
	uint64_t stack_base;
	uint64_t stack_bytes;
	uint64_t sysinfo;       /* address at which the system page is mapped read-only */
};

/* The system page: one read-only page that every process may map, so that reading the clock needs
 * no system call. clock_ns = ((rdtsc - tsc_base) * tsc_mult) >> tsc_shift, computed in 128 bits. */
#define SYSINFO_MAGIC 0x4f464e49535953ull
struct sysinfo_page {
	uint64_t magic;
	uint32_t version;
	uint32_t cpus;
	uint64_t tsc_base;
	uint64_t tsc_mult;
	uint32_t tsc_shift;
	uint32_t features;       /* enum cpu_feature */
	uint64_t boot_unix_ns;   /* wall clock when the monotonic clock was 0 */
	uint64_t tsc_hz;
};
