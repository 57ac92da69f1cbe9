/* SPDX-License-Identifier: GPL-2.0-only */
/* pic.c - the two 8259s, moved away from the exceptions' vectors and masked for good (Intel 8259A data sheet). A
 * spurious interrupt 7 or 15 that comes all the same has a vector that trap.c ignores. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define ICW1_INIT 0x11 /* edge, cascade, ICW4 follows */
#define ICW4_8086 0x01

void pic_disable(void)
{
	port_out8(MASTER, ICW1_INIT);
	port_out8(SLAVE, ICW1_INIT);
	port_out8(MASTER + 1, VECTOR_LEGACY);     /* ICW2 */
	port_out8(SLAVE + 1, VECTOR_LEGACY + 8);
	port_out8(MASTER + 1, 1 << 2);            /* ICW3: the slave is at line 2 */
	port_out8(SLAVE + 1, 2);
	port_out8(MASTER + 1, ICW4_8086);
	port_out8(SLAVE + 1, ICW4_8086);
	port_out8(MASTER + 1, 0xff);
	port_out8(SLAVE + 1, 0xff);
}
