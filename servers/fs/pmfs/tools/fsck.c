/* SPDX-License-Identifier: BSD-2-Clause */
/* fsck.c - fsck.pmfs [-y] FILE|zone
 * Checks everything, and writes nothing; with -y, an end that was not clean is mended as a mount
 * would. Damage is told with paths, never mended: nobody knows what the bytes should have been.
 * Exit status: 0 nothing is wrong (also: not cleanly unmounted, but complete), 1 mended, 4 damaged,
 * 8 not a pmfs, or it cannot be read. */
#include "image.h"
#include "fs/pmfs/pmfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path;

static void say(void *context, const char *line)
{
	(void)context;
	printf("%s: %s\n", path, line);
}

static void log_line(const char *line)
{
	printf("%s: %s\n", path, line);
}

/* Mount refuses it: all that is wrong, on a copy. */
static int tell_damage(const char *reason)
{
	const struct pmfs_options options = { .keep_blank = true, .damage = log_line };
	char again[PMFS_REASON_BYTES];
	struct image image;
	struct pmfs *fs;

	if (!image_open(&image, path, IMAGE_COPY, 0))
		return EXIT_CANNOT;
	if (pmfs_mount(image.base, image.bytes, &options, &fs, again) == OK) {
		err_t err = pmfs_check(fs, say, NULL);
		if (err != OK && err != ERR_CORRUPT)
			printf("%s: the check did not come to its end (error %d)\n", path, (int)err);
		pmfs_abandon(fs);
	} else {
		printf("%s: %s\n", path, reason);
	}
	image_close(&image);
	return EXIT_DAMAGED;
}

static int check(struct image *image, bool *refused, char reason[PMFS_REASON_BYTES])
{
	const struct pmfs_options options = { .keep_blank = true, .scan = true, .log = log_line };
	struct fs_statfs st;
	struct pmfs *fs;
	err_t err = pmfs_mount(image->base, image->bytes, &options, &fs, reason);

	*refused = err == ERR_CORRUPT;
	if (err != OK) {
		if (!*refused)
			fprintf(stderr, "%s: %s\n", path, reason);
		return EXIT_CANNOT;
	}
	const bool unclean = pmfs_was_unclean(fs);
	err = pmfs_check(fs, say, NULL);
	pmfs_statfs(fs, &st);
	if (err == OK)
		printf("%s: sound; %llu inodes, %llu of %llu blocks free%s\n", path,
				(unsigned long long)(st.inodes - st.inodes_free), (unsigned long long)st.blocks_free,
				(unsigned long long)st.blocks, !unclean ? "" : image->way == IMAGE_WRITE ? "; mended"
				: "; not cleanly unmounted, the next mount mends that");
	if (image->way == IMAGE_COPY || err != OK)
		pmfs_abandon(fs);
	else if (pmfs_unmount(fs) != OK)
		return EXIT_CANNOT;
	return err == ERR_CORRUPT ? EXIT_DAMAGED : err != OK ? EXIT_CANNOT
			: unclean && image->way == IMAGE_WRITE ? EXIT_MENDED : EXIT_CLEAN;
}

int main(int argc, char **argv)
{
	const bool mend = argc == 3 && strcmp(argv[1], "-y") == 0;
	char reason[PMFS_REASON_BYTES] = "";
	struct image image;
	bool refused;

	if (argc != 2 + mend) {
		fprintf(stderr, "usage: fsck.pmfs [-y] FILE|zone\n");
		return EXIT_CANNOT;
	}
	path = argv[1 + mend];
	if (!image_open(&image, path, mend ? IMAGE_WRITE : IMAGE_COPY, 0))
		return EXIT_CANNOT;
	int status = check(&image, &refused, reason);
	if (!image_close(&image))
		status = EXIT_CANNOT;
	return refused ? tell_damage(reason) : status;
}
