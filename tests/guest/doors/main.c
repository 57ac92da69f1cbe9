/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - door calls as a client and a server see them. The program serves doors itself and calls them from its own
 * threads; where a side has to be another process, or to die, it is a child: this program again, told by argv[1] what
 * to do. */
#include "doors.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc > 1)
		return server_main(argv[1]);
	if (server_prepare() != OK) {
		printf("not ok doors: cannot serve\n");
		return 1;
	}
	return message_tests() + refusal_tests() + window_tests() + death_tests();
}
