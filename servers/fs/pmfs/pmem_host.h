/* SPDX-License-Identifier: BSD-2-Clause */
/* pmem_host.h - what tests see of the recorded device. A recorder keeps what is certainly durable
 * apart from what was stored, and every store in flight; from those it makes images as a power cut
 * could leave them.
 * Context: one thread at a time while a recorder is attached. */
#pragma once

#include "pmem.h"

/* Somebody who sees every access of every device, each before it takes effect. Offsets are from the
 * device's start; `from` NULL: zeroes. One at a time; NULL ends it. */
struct pm_watch {
	void (*store)(void *context, uint64_t at, const void *from, size_t bytes, bool non_temporal);
	void (*write_back)(void *context, uint64_t at, size_t bytes);
	void (*fence)(void *context);
	void *context;
};
void pm_watch(const struct pm_watch *watch);

struct pm_recorder;

/* Attach: what the device holds now counts as durable. NULL when memory is out. */
struct pm_recorder *pm_record(struct pmem *pm);
void pm_record_end(struct pmem *pm);

/* Called at every fence, before it takes effect. */
void pm_record_on_fence(struct pm_recorder *recorder, void (*call)(void *context), void *context);

/* Writes to `image` (pm->bytes) a state that a power cut now could leave: of each line in flight a
 * random prefix of its stores (xorshift of *seed). all: every line in flight arrives; none: nothing does. */
enum pm_crash { PM_CRASH_RANDOM, PM_CRASH_ALL, PM_CRASH_NONE };
void pm_crash_image(struct pm_recorder *recorder, enum pm_crash how, uint64_t *seed, uint8_t *image);

uint64_t pm_record_fences(const struct pm_recorder *recorder);
