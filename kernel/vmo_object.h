/* SPDX-License-Identifier: GPL-2.0-only */
/* vmo_object.h - a VMO as something that handles can name. mm/ knows no handles; this is the tie.
 * Owner: the object holds one reference on the VMO. Context: threads. */
#pragma once

#include "kernel/object.h"
#include "mm/vmo.h"

struct vmo_object {
	struct object object;
	struct vmo *vmo; /* [I] */
};

void vmo_object_init(void);

/* Takes the VMO's reference over, also when it fails. One reference on the object: the caller's.
 * ERR_NO_MEMORY. */
MUST_USE err_t vmo_object_create(struct vmo *vmo, struct vmo_object **out);
extern const struct object_class vmo_object_class;
