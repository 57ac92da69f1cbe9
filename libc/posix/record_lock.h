/* SPDX-License-Identifier: BSD-2-Clause */
/* record_lock.h - fcntl's F_GETLK, F_SETLK and F_SETLKW. Private to libc. */
#pragma once

#include <fcntl.h>

#include "posix/file.h"

int record_lock(struct file *file, int command, struct flock *lock);
