/* SPDX-License-Identifier: BSD-2-Clause */
/* port_inline.h - what mm/port.h asks for as inline functions: nothing. On the host tests look at every lock, every CPU
 * number and every address (port_host.c, and the tests of kernel/ with stand-ins of their own). */
#pragma once
