/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - windows under attack: races.c, pagers.c. */
#include "windows.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return server_main();
	if (client_prepare() != OK) {
		printf("not ok windows: cannot serve\n");
		return 1;
	}
	return races() + pagers();
}
