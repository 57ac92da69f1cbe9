/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/ioctl.h - there is no device that a request could go to: ioctl always fails. */
#ifndef LINTEL_SYS_IOCTL_H
#define LINTEL_SYS_IOCTL_H

#include <sys/cdefs.h>

_BEGIN_STD_C

int ioctl(int fd, int request, ...);

_END_STD_C

#endif
