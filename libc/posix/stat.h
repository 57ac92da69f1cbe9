/* SPDX-License-Identifier: BSD-2-Clause */
/* stat.h - between the protocol's structures and POSIX's. Private to libc. */
#pragma once

#include <sys/stat.h>
#include <lintel/fs_proto.h>

void stat_from_fs(const struct fs_stat *from, unsigned long device, struct stat *out);
mode_t mode_masked(mode_t mode); /* without the bits of the umask */
