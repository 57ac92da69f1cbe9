/* SPDX-License-Identifier: BSD-2-Clause */
/* image.h - what mkfs.pmfs, fsck.pmfs and pmfs-dump share: media as memory. The same sources run on
 * Lintel and on the build machine. "zone" instead of a file's name is the pmem zone that the
 * program was started with (a manifest's `zone`), which nobody else has mounted then. */
#pragma once

#include <lintel/types.h>

#define EXIT_CLEAN 0     /* nothing is wrong */
#define EXIT_MENDED 1    /* something was, and has been mended */
#define EXIT_DAMAGED 4   /* something is */
#define EXIT_CANNOT 8    /* not ours, not readable, wrong use */

enum image_way {
	IMAGE_COPY,   /* stores stay in memory */
	IMAGE_WRITE,  /* stores go to the media, at the latest with image_close */
};

struct image {
	const char *path;
	enum image_way way;
	void *base;
	uint64_t bytes;
	int file; /* -1: a zone */
};

/* False: said on stderr why. `make_bytes` not 0: the file gets that size, and is made if it is not there. */
bool image_open(struct image *image, const char *path, enum image_way way, uint64_t make_bytes);
/* False: what was stored may not have arrived. */
bool image_close(struct image *image);

/* The zone, mapped: image_zone.c on Lintel, image_zone_host.c elsewhere (there is none). */
bool image_zone(struct image *image);
