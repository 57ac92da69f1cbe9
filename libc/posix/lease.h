/* SPDX-License-Identifier: BSD-2-Clause */
/* lease.h - open files that are read and written without calls. Private to libc.
 * A file that has been used a few times asks its server for a lease: a VMO that holds the contents and, in its last
 * page, the attributes. From then on lease_code.S does the work, and whatever it cannot do -
 * growing, a server that takes pages back or is gone - goes the way of calls as if there were no lease. The rules are
 * told at servers/fs/pmfs/server/lease.h.
 * What the server says is not trusted: sizes are checked against the mapping, and a page that is not there is a result.
 * Owner: the file; leases it has outgrown stay mapped, as other threads may be reading there, until the file goes. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <lintel/fs_proto.h>

#define LEASE_ASK (-1)   /* by a call this time */
#define LEASE_FAULT (-2) /* a page could not be had: the lease may be over, or the caller's buffer is no good */

struct file;

/* What pread, pwrite and fstat come to when a lease cannot do it. */
ssize_t pread_call(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t pwrite_call(int fd, const void *buffer, size_t bytes, off_t offset);
int fstat_call(int fd, struct stat *out);

struct lease { /* [I] lease_code.S knows the first three */
	char *base;
	const struct fs_lease_page *page;
	uint64_t room;       /* bytes of contents that the mapping can show */
	struct lease *older; /* that this one replaced */
	bool writable;
};

ssize_t lease_read(const struct lease *lease, void *buffer, size_t bytes, uint64_t offset);
ssize_t lease_write(const struct lease *lease, const void *buffer, size_t bytes, uint64_t offset);
int64_t lease_size(const struct lease *lease);
int64_t lease_flags(const struct lease *lease); /* enum fs_lease_flag */

/* [from, from + bytes): out of the caches; on persistent memory it is durable then. Pages that are not there (the file
 * has become shorter) are left out. False: it cannot be done from here. */
bool lease_write_back(const void *from, size_t bytes);

#define LEASE_AFTER_CALLS 6 /* a lease costs about as much as so many calls */
#define CALL_BYTES_SHIFT 16 /* moving so many bytes weighs as much as the call */

/* There may be reason to ask for a lease, or for a larger one: lease_consider in file.h, which is asked. */
void lease_reconsider(struct file *file);
/* O_APPEND has come or gone: such writes are the server's. */
void lease_flags_changed(struct file *file);
/* The file goes: nobody uses its leases any more. */
void leases_unmap(struct lease *newest);
