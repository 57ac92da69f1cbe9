/* SPDX-License-Identifier: BSD-2-Clause */
/* mkfs.c - mkfs.pmfs [-f] [-s SEED] FILE|zone [BYTES[K|M|G|T]]
 * Makes a new file system. What is not blank is refused without -f. With a size the file gets that
 * size, and is made if need be. The seed fixes UUID and hash key, for images that have to be alike. */
#include "image.h"
#include "fs/pmfs/super.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
	fprintf(stderr, "usage: mkfs.pmfs [-f] [-s SEED] FILE|zone [BYTES[K|M|G|T]]\n");
	return EXIT_CANNOT;
}

/* 0: not a size. */
static uint64_t size_parse(const char *text)
{
	static const char units[] = "KMGT";
	char *end;
	const uint64_t n = strtoull(text, &end, 10);
	const char *unit = *end != 0 ? strchr(units, *end) : NULL;

	if (end == text || (*end != 0 && (unit == NULL || end[1] != 0)))
		return 0;
	const unsigned int shift = unit != NULL ? 10 * (unsigned int)(unit - units + 1) : 0;
	return n <= UINT64_MAX >> shift ? n << shift : 0;
}

static int make(struct image *image, bool force, uint64_t seed)
{
	const struct pmfs_options options = { .format = true, .seed = seed };
	char reason[PMFS_REASON_BYTES] = "";
	struct pmfs_super super;
	struct pmfs *fs;
	err_t err;

	if (image->bytes >= PMFS_BYTES_MIN && !force &&
			super_examine(image->base, image->bytes, &super, &err, reason) != SUPER_BLANK) {
		fprintf(stderr, "%s: not blank (%s); -f makes a new file system all the same\n", image->path,
				reason[0] != 0 ? reason : "it holds a pmfs");
		return EXIT_CANNOT;
	}
	err = pmfs_mount(image->base, image->bytes, &options, &fs, reason);
	if (err == OK) {
		printf("%s: pmfs of %llu MiB, %llu blocks free\n", image->path, (unsigned long long)(image->bytes >> 20),
				(unsigned long long)pmfs_blocks_free(fs));
		err = pmfs_unmount(fs);
	}
	if (err != OK)
		fprintf(stderr, "%s: %s\n", image->path, reason[0] != 0 ? reason : "it could not be made");
	return err == OK ? EXIT_CLEAN : EXIT_CANNOT;
}

int main(int argc, char **argv)
{
	uint64_t seed = 0, bytes = 0;
	struct image image;
	bool force = false;
	int option;

	while ((option = getopt(argc, argv, "fs:")) != -1) {
		if (option == 'f')
			force = true;
		else if (option == 's')
			seed = strtoull(optarg, NULL, 10);
		else
			return usage();
	}
	if (optind >= argc || argc > optind + 2)
		return usage();
	if (optind + 1 < argc && (bytes = size_parse(argv[optind + 1])) == 0)
		return usage();
	if (!image_open(&image, argv[optind], IMAGE_WRITE, bytes))
		return EXIT_CANNOT;
	const int status = make(&image, force, seed);
	return image_close(&image) ? status : EXIT_CANNOT;
}
