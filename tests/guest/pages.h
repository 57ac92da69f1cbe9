/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.h - files whose pages are letters. Who includes it defines FOLDER, where they lie, and PAGES, how many a file
 * has at most. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define WARM 20 /* reads after which a file is leased */

static char buffer[(PAGES + 8) * PAGE];

/* Page i is filled with the letter i; leased already. */
static int put(const char *name, int pages)
{
	char path[80], byte;
	snprintf(path, sizeof(path), FOLDER "/%s", name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	for (int i = 0; i < pages; i++) {
		memset(buffer, 'a' + i % 26, PAGE);
		if (pwrite(fd, buffer, PAGE, (off_t)i * PAGE) != PAGE)
			return -1;
	}
	for (int i = 0; i < WARM; i++)
		if (pread(fd, &byte, 1, 0) < 0)
			return -1;
	return fd;
}

/* Are the pages those letters? '-' is zeroes. */
static int pages_are(int fd, const char *letters)
{
	const size_t pages = strlen(letters);
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size != (off_t)(pages * PAGE))
		return 0;
	if (pread(fd, buffer, sizeof(buffer), 0) != (ssize_t)(pages * PAGE))
		return 0;
	for (size_t i = 0; i < pages * PAGE; i++)
		if (buffer[i] != (letters[i / PAGE] == '-' ? 0 : letters[i / PAGE]))
			return 0;
	return 1;
}
