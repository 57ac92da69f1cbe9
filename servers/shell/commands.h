/* SPDX-License-Identifier: BSD-2-Clause */
/* commands.h - the commands' functions by file, and what they share. struct command says how
 * they are called. */
#pragma once

#include <sys/types.h>

#include "shell/shell.h"

/* The names in a directory, sorted, without "." and "..". */
struct names {
	char **name;
	size_t count;
	size_t room;
};

/* 0 or an errno value; after 0 the caller frees. */
int names_read(const char *path, struct names *n);
void names_free(struct names *n);

/* One buffer for whoever moves bytes; nobody keeps anything in it across a call to another
 * command's code. */
#define BULK_BYTES (256u << 10)
extern char bulk_buffer[BULK_BYTES];

/* Write everything; 0 or an errno value. */
int bulk_write(int fd, const void *data, size_t bytes);

/* files.c: complain for themselves and return a status, but files_make_path, which returns an
 * errno value: it makes every missing directory on the way (and puts a NUL into `path`
 * meanwhile), and is content if the last is there. */
int files_copy(struct shell *sh, const char *from, const char *to, mode_t mode);
int files_remove(struct shell *sh, const char *path, bool recurse);
int files_make_path(char *path);

/* list.c */
int command_ls(struct shell *sh, int argc, char **argv);
int command_stat(struct shell *sh, int argc, char **argv);
int command_pwd(struct shell *sh, int argc, char **argv);
int command_cd(struct shell *sh, int argc, char **argv);

/* tree.c */
int command_import(struct shell *sh, int argc, char **argv);
int command_verify(struct shell *sh, int argc, char **argv);
#define TREE_ARCHIVE "/boot/share/tree.tar"
#define TREE_LIST "/boot/share/tree.sha256"
#define TREE_ROOT "/pmem/tree"
