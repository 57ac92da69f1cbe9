/* SPDX-License-Identifier: BSD-2-Clause */
/* image.c - see image.h. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(const struct image *image, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", image->path, what, strerror(errno));
	if (image->file >= 0)
		close(image->file);
	return false;
}

static bool file_map(struct image *image, uint64_t make_bytes)
{
	const bool writes = image->way == IMAGE_WRITE;
	struct stat st;

	image->file = open(image->path, (writes ? O_RDWR : O_RDONLY) | (make_bytes != 0 ? O_CREAT : 0), 0644);
	if (image->file < 0)
		return refuse(image, "open");
	if (make_bytes != 0 && ftruncate(image->file, (off_t)make_bytes) != 0)
		return refuse(image, "size");
	if (fstat(image->file, &st) != 0)
		return refuse(image, "stat");
	image->bytes = (uint64_t)st.st_size;
	if (image->bytes == 0) {
		fprintf(stderr, "%s: empty\n", image->path);
		close(image->file);
		return false;
	}
	image->base = mmap(NULL, image->bytes, PROT_READ | PROT_WRITE, writes ? MAP_SHARED : MAP_PRIVATE, image->file, 0);
	return image->base != MAP_FAILED || refuse(image, "map");
}

static bool zone_map(struct image *image)
{
	image->file = -1;
	if (!image_zone(image)) {
		fprintf(stderr, "zone: this program was started with none\n");
		return false;
	}
	if (image->way == IMAGE_WRITE)
		return true;
	void *copy = mmap(NULL, image->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return refuse(image, "copy");
	memcpy(copy, image->base, image->bytes);
	image->base = copy;
	return true;
}

bool image_open(struct image *image, const char *path, enum image_way way, uint64_t make_bytes)
{
	*image = (struct image) { .path = path, .way = way };
	return strcmp(path, "zone") == 0 ? zone_map(image) : file_map(image, make_bytes);
}

bool image_close(struct image *image)
{
	bool good = true;

	if (image->file < 0)
		return true; /* the process's end unmaps it */
	if (image->way == IMAGE_WRITE && msync(image->base, image->bytes, MS_SYNC) != 0)
		good = refuse(image, "write");
	else if (close(image->file) != 0)
		good = false;
	munmap(image->base, image->bytes);
	return good;
}
