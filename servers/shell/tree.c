/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c - import: a tar archive becomes a directory tree; verify: every file of a tree against
 * a sha256sum list. An import writes to DIRECTORY.partial and renames at the end, so that a tree
 * which is there is a whole one. */
#include "shell/commands.h"
#include "shell/sha256.h"
#include "kit/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRESS_NS 200000000u
#define MISMATCHES_SHOWN 20

/* ---- Progress on one line, rewritten at most five times a second ---- */

struct progress {
	const char *what;
	uint64_t files, files_all;
	uint64_t bytes, bytes_all; /* bytes_all 0: not known */
	uint64_t start_ns, shown_ns;
};

static void progress_start(struct progress *p, const char *what)
{
	*p = (struct progress){ .what = what, .start_ns = shell_now_ns() };
	p->shown_ns = p->start_ns;
}

static void progress_show(struct shell *sh, struct progress *p)
{
	uint64_t now = shell_now_ns();
	if (sh->out.fd != 1 || now - p->shown_ns < PROGRESS_NS)
		return;
	char done[FORMAT_BYTES], all[FORMAT_BYTES], rate[FORMAT_BYTES];
	p->shown_ns = now;
	output_print(&sh->out, "\r%s %u of %u files, %s", p->what, (unsigned)p->files, (unsigned)p->files_all,
	             format_bytes(done, p->bytes));
	if (p->bytes_all)
		output_print(&sh->out, " of %s", format_bytes(all, p->bytes_all));
	output_print(&sh->out, ", %s \x1b[K", format_rate(rate, p->bytes, now - p->start_ns));
	output_flush(&sh->out);
}

/* The line is replaced by the sum. */
static void progress_end(struct shell *sh, struct progress *p, const char *done)
{
	char files[FORMAT_BYTES], bytes[FORMAT_BYTES], time[FORMAT_BYTES], rate[FORMAT_BYTES];
	uint64_t took_ns = shell_now_ns() - p->start_ns;
	output_print(&sh->out, "%s%s %s files, %s in %s (%s)", sh->out.fd == 1 ? "\r\x1b[K" : "", done,
	             format_count(files, p->files), format_bytes(bytes, p->bytes), format_ns(time, took_ns),
	             format_rate(rate, p->bytes, took_ns));
}

/* ---- A whole file in memory: mapped where the file system can, else read ---- */

struct whole_file {
	void *base;
	size_t bytes;
	bool mapped;
};

static int whole_file_read(int fd, struct whole_file *f)
{
	f->base = malloc(f->bytes ? f->bytes : 1);
	if (!f->base)
		return ENOMEM;
	for (size_t done = 0; done < f->bytes;) {
		ssize_t n = read(fd, (char *)f->base + done, f->bytes - done);
		if (n <= 0) {
			int error = n < 0 ? errno : EIO;
			free(f->base);
			return error;
		}
		done += (size_t)n;
	}
	return 0;
}

/* 0 or an errno value. */
static int whole_file_open(const char *path, struct whole_file *f)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return errno;
	int error = fstat(fd, &st) ? errno : 0;
	if (!error) {
		f->bytes = (size_t)st.st_size;
		f->base = f->bytes ? mmap(NULL, f->bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
		f->mapped = f->base != MAP_FAILED;
		if (!f->mapped)
			error = whole_file_read(fd, f);
	}
	close(fd);
	return error;
}

static void whole_file_close(struct whole_file *f)
{
	if (f->mapped)
		munmap(f->base, f->bytes);
	else
		free(f->base);
}

/* ---- Import ---- */

struct import {
	struct shell *sh;
	const char *root;
	struct progress progress;
	unsigned directories;
	unsigned links;
	unsigned skipped; /* kinds of entries, or links, that the file system does not keep */
	struct tar_entry entry;
	char path[SHELL_PATH_BYTES];
};

static bool is_unsupported(int error)
{
	return error == ENOSYS || error == ENOTSUP || error == EOPNOTSUPP;
}

/* Archives need not list every directory before what lies in it. */
static int make_parent(char *path)
{
	char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	*slash = '\0';
	int error = files_make_path(path);
	*slash = '/';
	return error;
}

static int import_file(struct import *im)
{
	const struct tar_entry *e = &im->entry;
	int fd = open(im->path, O_WRONLY | O_CREAT | O_EXCL, e->mode & 0777);
	if (fd < 0 && errno == ENOENT) {
		int error = make_parent(im->path);
		if (error)
			return error;
		fd = open(im->path, O_WRONLY | O_CREAT | O_EXCL, e->mode & 0777);
	}
	if (fd < 0)
		return errno;
	int error = bulk_write(fd, e->data, e->bytes);
	if (close(fd) && !error)
		error = errno;
	im->progress.files++;
	im->progress.bytes += e->bytes;
	return error;
}

static int import_link(struct import *im)
{
	char target[SHELL_PATH_BYTES];
	if (im->entry.type == TAR_SYMLINK) {
		im->links++;
		return symlink(im->entry.target, im->path) ? errno : 0;
	}
	if (!shell_join(target, im->root, im->entry.target))
		return ENAMETOOLONG;
	im->progress.files++;
	if (!link(target, im->path))
		return 0;
	if (!is_unsupported(errno))
		return errno;
	return files_copy(im->sh, target, im->path, 0644) ? EIO : 0;
}

static int import_entry(struct import *im)
{
	if (!im->entry.name[0])
		return 0;
	if (!shell_join(im->path, im->root, im->entry.name))
		return ENAMETOOLONG;
	switch (im->entry.type) {
	case TAR_DIRECTORY:
		im->directories++;
		return files_make_path(im->path);
	case TAR_FILE: return import_file(im);
	case TAR_SYMLINK:
	case TAR_LINK: return import_link(im);
	case TAR_OTHER: break;
	}
	return ENOTSUP;
}

/* How much there is to do; also proves the whole archive's headers before anything is written. */
static err_t import_count(const struct whole_file *f, struct import *im, const char **reason)
{
	struct tar tar;
	err_t err;
	tar_open(&tar, f->base, f->bytes);
	while ((err = tar_next(&tar, &im->entry)) == OK) {
		bool counts = im->entry.type == TAR_FILE || im->entry.type == TAR_LINK;
		im->progress.files_all += counts;
		im->progress.bytes_all += im->entry.bytes;
	}
	*reason = tar.reason;
	return err == ERR_NOT_FOUND ? OK : err;
}

static int import_all(const struct whole_file *f, struct import *im)
{
	struct tar tar;
	tar_open(&tar, f->base, f->bytes);
	while (tar_next(&tar, &im->entry) == OK) {
		int error = import_entry(im);
		if (is_unsupported(error))
			im->skipped++;
		else if (error)
			return shell_complain(im->sh, im->path, error);
		progress_show(im->sh, &im->progress);
	}
	return 0;
}

/* Make what was written durable before the name says that it is whole. 0 or an errno value. */
static int import_publish(const char *partial, const char *root)
{
	int fd = open(partial, O_RDONLY);
	if (fd < 0)
		return errno;
	int error = fsync(fd) && !is_unsupported(errno) && errno != EINVAL ? errno : 0;
	close(fd);
	if (!error && rename(partial, root))
		error = errno;
	return error;
}

static int import_to(struct shell *sh, const struct whole_file *f, const char *archive, const char *root)
{
	static struct import im; /* large */
	char partial[SHELL_PATH_BYTES];
	const char *reason;
	struct stat st;
	memset(&im, 0, sizeof im);
	im.sh = sh;
	im.root = partial;
	progress_start(&im.progress, "importing");
	if (snprintf(partial, sizeof partial, "%s.partial", root) >= (int)sizeof partial)
		return shell_complain(sh, root, ENAMETOOLONG);
	if (!lstat(root, &st))
		return shell_complain(sh, root, EEXIST);
	if (import_count(f, &im, &reason) != OK)
		return shell_refuse(sh, "%s: %s", archive, reason);
	if (!lstat(partial, &st) && files_remove(sh, partial, true))
		return 1;
	int error = files_make_path(partial);
	if (error)
		return shell_complain(sh, partial, error);
	int status = import_all(f, &im);
	if (status)
		return status;
	error = import_publish(partial, root);
	if (error)
		return shell_complain(sh, root, error);
	progress_end(sh, &im.progress, "imported");
	output_print(&sh->out, ", %u directories, %u links", im.directories, im.links);
	if (im.skipped)
		output_print(&sh->out, ", %u entries skipped that this file system does not keep", im.skipped);
	output_print(&sh->out, "\n");
	return 0;
}

int command_import(struct shell *sh, int argc, char **argv)
{
	const char *archive = argc > 1 ? argv[1] : TREE_ARCHIVE;
	const char *root = argc > 2 ? argv[2] : TREE_ROOT;
	struct whole_file f;
	if (argc > 3)
		return shell_usage(sh);
	int error = whole_file_open(archive, &f);
	if (error)
		return shell_complain(sh, archive, error);
	int status = import_to(sh, &f, archive, root);
	whole_file_close(&f);
	return status;
}

/* ---- Verify ---- */

struct verify {
	struct shell *sh;
	const char *list;
	const char *root;
	struct progress progress;
	unsigned bad; /* missing, unreadable or different */
};

/* Is there a file whose bytes have this digest? 0: yes; EILSEQ: other bytes; else an errno value. */
static int verify_file(struct verify *v, const char *path, const uint8_t expected[SHA256_BYTES])
{
	struct sha256 h;
	uint8_t digest[SHA256_BYTES];
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return errno;
	sha256_start(&h);
	ssize_t n;
	while ((n = read(fd, bulk_buffer, sizeof bulk_buffer)) > 0) {
		sha256_add(&h, bulk_buffer, (size_t)n);
		v->progress.bytes += (uint64_t)n;
		progress_show(v->sh, &v->progress);
	}
	int error = n < 0 ? errno : 0;
	close(fd);
	if (error)
		return error;
	sha256_finish(&h, digest);
	return memcmp(digest, expected, sizeof digest) ? EILSEQ : 0;
}

static void verify_bad(struct verify *v, const char *name, const char *why)
{
	if (v->bad++ < MISMATCHES_SHOWN)
		output_print(&v->sh->out, "%s%s: %s\n", v->sh->out.fd == 1 ? "\r\x1b[K" : "", name, why);
}

/* sha256sum writes a backslash in front of a line whose name holds a backslash or a newline, and
 * escapes those. */
static void unescape(char *name)
{
	char *out = name;
	for (; *name; name++) {
		if (*name == '\\' && name[1])
			*out++ = *++name == 'n' ? '\n' : *name;
		else
			*out++ = *name;
	}
	*out = '\0';
}

/* "digest  name" or "digest *name". false: not such a line. */
static bool verify_line(struct verify *v, const char *line, size_t length)
{
	char name[SHELL_PATH_BYTES], path[SHELL_PATH_BYTES];
	uint8_t expected[SHA256_BYTES];
	bool escaped = length && *line == '\\';
	line += escaped;
	length -= escaped;
	size_t start = SHA256_TEXT_BYTES - 1 + 2;
	if (length <= start || length - start >= sizeof name || !sha256_parse(line, expected))
		return false;
	if (line[start - 2] != ' ' || (line[start - 1] != ' ' && line[start - 1] != '*'))
		return false;
	memcpy(name, line + start, length - start);
	name[length - start] = '\0';
	if (escaped)
		unescape(name);
	const char *relative = strncmp(name, "./", 2) ? name : name + 2;
	int error = shell_join(path, v->root, relative) ? verify_file(v, path, expected) : ENAMETOOLONG;
	if (error)
		verify_bad(v, path, error == EILSEQ ? "the contents differ" : strerror(error));
	v->progress.files++;
	return true;
}

static int verify_list(struct verify *v, const char *text, size_t bytes)
{
	const char *end = text + bytes;
	for (const char *p = text; p < end; p++)
		v->progress.files_all += *p == '\n';
	unsigned number = 0;
	for (const char *line = text; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;
		number++;
		if (!verify_line(v, line, (size_t)(stop - line)))
			return shell_refuse(v->sh, "%s:%u: not a line of sha256sum", v->list, number);
		progress_show(v->sh, &v->progress);
		line = stop + 1;
	}
	if (!v->progress.files)
		return shell_refuse(v->sh, "%s is empty", v->list);
	if (v->bad > MISMATCHES_SHOWN)
		output_print(&v->sh->out, "... and %u more\n", v->bad - MISMATCHES_SHOWN);
	progress_end(v->sh, &v->progress, "verified");
	if (v->bad)
		output_print(&v->sh->out, ": %u DO NOT MATCH\n", v->bad);
	else
		output_print(&v->sh->out, ": all match\n");
	return v->bad ? 1 : 0;
}

int command_verify(struct shell *sh, int argc, char **argv)
{
	struct verify v = { .sh = sh };
	struct whole_file f;
	if (argc > 3)
		return shell_usage(sh);
	v.list = argc > 1 ? argv[1] : TREE_LIST;
	v.root = argc > 2 ? argv[2] : TREE_ROOT;
	int error = whole_file_open(v.list, &f);
	if (error)
		return shell_complain(sh, v.list, error);
	progress_start(&v.progress, "verifying");
	int status = verify_list(&v, f.base, f.bytes);
	whole_file_close(&f);
	return status;
}
