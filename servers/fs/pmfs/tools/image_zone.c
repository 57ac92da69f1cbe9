/* SPDX-License-Identifier: BSD-2-Clause */
/* image_zone.c - the zone that this program was started with. */
#include "image.h"
#include "kit/kit.h"

#include <lintel/process.h>
#include <lintel/startup.h>
#include <lintel/syscalls.h>

bool image_zone(struct image *image)
{
	const handle_t zone = lintel_startup_handle(STARTUP_ZONE, STARTUP_ANY, 0);

	return zone != HANDLE_NONE && kit_map_vmo(zone, SPACE_READ | SPACE_WRITE, &image->base, &image->bytes) == OK;
}
