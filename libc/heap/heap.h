/* SPDX-License-Identifier: BSD-2-Clause */
/* heap.h - the allocator behind malloc. Builds on the host too: it needs nothing but heap/port.h and core/lock.h.
 *
 * Small blocks (up to SMALL_BYTES_MAX) come in size classes. Each thread keeps short lists of free blocks per class and
 * touches nothing shared until one runs empty or full; then a batch moves between it and the class's spans, under that
 * class's lock. A span is a run of 64 KiB slots of a 4 MiB segment. Middle sizes are runs of slots; large ones are
 * mappings of their own, given back when they are freed. A block may be freed by any thread.
 *
 * Locks: [c] the class's lock  [g] the segments' lock  [t] this thread only  [I] immutable.  Order: c, g.
 * Corruption: freeing a free block, or a pointer that is none, and storing to a free block's first words are noticed
 * where it costs a comparison; the port's panic is called then. */
#pragma once

#include <lintel/compiler.h>

#include "core/lock.h"

#define HEAP_ALIGN 16
#define HEAP_CLASSES 40
#define SMALL_BYTES_MAX (32u << 10)
#define RUN_BYTES_MAX (512u << 10)
#define SLOT_BYTES (64ull << 10)
#define SEGMENT_SLOTS 64
#define SEGMENT_BYTES (SLOT_BYTES * SEGMENT_SLOTS)
#define HEAP_ALIGN_MAX (SEGMENT_BYTES / 2)
#define HEAP_BYTES_MAX (1ull << 46)

/* What a free block holds. */
struct heap_block {
	struct heap_block *next;
	uintptr_t seal; /* block address ^ heap_key; anything else: it was written to */
};

struct heap_list {
	struct heap_block *first;
	uint32_t count;
};

/* One per thread. */
struct heap_cache {
	struct heap_list lists[HEAP_CLASSES]; /* [t] */
};

enum span_state { SPAN_NONE = 0, SPAN_SMALL = 1, SPAN_RUN = 2, SPAN_TAIL = 3 };

/* A run of slots; the description of slot n is segment->spans[n]. */
struct span {
	struct span *next;        /* [c] the class's spans with room */
	struct span *previous;
	struct heap_block *free;  /* [c] */
	uint32_t free_count;      /* [c] on `free` */
	uint32_t carved;          /* [c] blocks that were ever handed out; the rest was never touched */
	uint32_t capacity;        /* [I] blocks */
	uint32_t block_bytes;     /* [I] */
	uint8_t state;            /* [g] enum span_state */
	uint8_t class;            /* [I] */
	uint8_t slots;            /* [I] of the run */
	uint8_t first;            /* [I] SPAN_TAIL: index of the run's first slot */
	bool listed;              /* [c] on the class's list */
};

enum segment_kind { SEGMENT_SLOTTED = 1, SEGMENT_LARGE = 2 };

/* At the start of every segment, and of every large mapping. */
struct segment {
	uint64_t magic;           /* [I] */
	uint32_t kind;            /* [I] enum segment_kind */
	uint32_t pad;
	size_t mapped_bytes;      /* [I] */
	size_t data_offset;       /* [I] SEGMENT_LARGE: of the block */
	struct segment *next;     /* [g] segments with a free slot */
	struct segment *previous;
	uint64_t used;            /* [g] bit per slot; bit 0 is this header */
	bool listed;              /* [g] */
	struct span spans[SEGMENT_SLOTS];
};

/* ---- For malloc.c and the tests ---- */

void *heap_alloc(size_t bytes);                       /* NULL when memory is out */
void *heap_alloc_zeroed(size_t count, size_t bytes);
void *heap_alloc_aligned(size_t align, size_t bytes); /* a power of two up to HEAP_ALIGN_MAX, else NULL */
void *heap_resize(void *block, size_t bytes);         /* NULL when memory is out; the block stays then */
void heap_free(void *block);
size_t heap_usable_bytes(const void *block);

struct heap_cache *heap_cache_own(void);
void heap_cache_flush(struct heap_cache *cache); /* give everything back; the cache stays usable */

void heap_check_invariants(void); /* panics; other threads must be quiet */

/* ---- Between class.c (blocks), segment.c (slots) and heap.c ---- */

extern uintptr_t heap_key; /* [I] a number that a program cannot know */

uint32_t class_block_bytes(uint32_t class);
uint32_t class_of(size_t bytes);
uint32_t class_batch(uint32_t class);
bool class_refill(uint32_t class, struct heap_list *list); /* false when memory is out */
void class_drain(uint32_t class, struct heap_list *list, uint32_t count);
void class_check_invariants(void);

struct span *span_create(uint32_t slots, enum span_state state); /* NULL when memory is out */
void span_destroy(struct span *span);
struct span *span_of(const void *block); /* of a slotted segment's block */
char *span_base(const struct span *span);
struct segment *segment_of(const void *block);
void *large_create(size_t align, size_t bytes);
void large_destroy(struct segment *segment);
void segment_check_invariants(void);
