/* SPDX-License-Identifier: GPL-2.0-only */
/* vmo.h - virtual memory objects: a sized run of pages that spaces map.
 *
 *   kind        pages are                                          missing page
 *   anonymous   frames in a sparse tree, owned and charged          a zeroed frame is committed
 *   pager       pages of other VMOs in the same kind of tree        the pager is asked (ERR_AGAIN)
 *   zone        [zone base, +bytes), never the kernel's to read     none is missing
 *   physical    device registers, no RAM                            none is missing
 *   kernel      kernel memory lent to user space                    none is missing
 *   slice       a part of one of the above (never of a slice)       as there
 *   copy        an anonymous one with an origin                     a frame with the origin's bytes is committed
 *
 * The tree: inner nodes of 512 pointers, then leaves (struct vmo_leaf) for 2 MiB each. Walks take
 * no lock: nodes come by compare-and-swap and go with the VMO. A leaf's lock guards its entries, so
 * that faults in different 2 MiB never meet.
 * V1  a leaf's `count` is the number of its entries that are present. V2  entries at or past
 *     vmo->bytes are absent, but while vmo_resize is taking them away. V3  a translation is
 *     installed only under the lock of the leaf that holds the page and while the page is there; so
 *     whoever clears an entry under that lock and then zaps all mappings is done.
 * Units: offsets and sizes in bytes; sizes are multiples of PAGE_SIZE except where said.
 * Owner: reference counted; regions, slices, pager VMOs and handles hold references.
 * Locks: [v] vmo->lock (rank VMO)  [f] leaf->lock (rank PAGETABLE)  [a] atomic  [I] immutable after
 * creation.
 * Context: threads. */
#pragma once

#include "mm/frame.h"
#include "mm/pagetable.h"
#include "mm/pool.h"
#include "mm/zone.h"

struct region;

enum vmo_kind { VMO_ANONYMOUS,
	VMO_PAGER,
	VMO_ZONE,
	VMO_PHYSICAL,
	VMO_KERNEL,
	VMO_SLICE };

#define VMO_BYTES_MAX (1ull << 47)
#define VMO_SOURCES_MAX 4u

/* An entry of a leaf: frame address | flags; 0 = absent. */
#define VMO_PAGE_PRESENT (1ull << 0)
#define VMO_PAGE_WRITE (1ull << 1) /* pager VMOs: stores are allowed. Anonymous pages always have it */

struct vmo_leaf {
	struct spinlock lock;
	uint64_t *entry;   /* [f] capacity entries; NULL while none is needed */
	uint64_t large;    /* [f] or one 2 MiB page for all of them: address | flags */
	uint16_t count;    /* [f] present entries; a large page counts 512 */
	uint16_t capacity; /* [f] 0, 8, 64 or 512 */
	uint32_t reserve;  /* [v] supplies in preparation: keep the entries */
};

struct vmo {
	uint32_t refs;           /* [a] */
	uint8_t kind;            /* [I] enum vmo_kind */
	uint8_t cache;           /* [I] enum cache_kind */
	bool resizable;          /* [I] */
	bool contiguous;         /* [I] anonymous, one run: `base` is its start */
	uint64_t id;             /* [I] never used again */
	uint64_t bytes;          /* [a] page multiple; changes under [v] */
	uint64_t base;           /* [I] zone, physical, kernel, contiguous: physical address of page 0 */
	struct account *account; /* [I] who pays for frames and nodes; a reference; NULL: the kernel */
	struct spinlock lock;
	struct region *regions;              /* [v] all regions that map it, in all spaces */
	uint64_t tree;                       /* [a] physical address of the top node | height; 0: empty */
	uint64_t nodes;                      /* [a] inner nodes, pages */
	uint64_t committed;                  /* [a] present entries */
	struct zone *zone;                   /* [I] zone VMOs */
	struct vmo *parent;                  /* [I] slices, and copies (anonymous ones that have it): a reference */
	uint64_t parent_offset;              /* [I] */
	uint64_t parent_bytes;               /* [I] copies: how far it reaches, to the byte; behind are zeros */
	void *pager;                         /* [I] pager VMOs: an opaque reference of the kernel's */
	uint64_t key;                        /* [I] */
	struct vmo *source[VMO_SOURCES_MAX]; /* [v] pager VMOs: references */
	struct pager_family *family;         /* [I] pager VMOs, once in one: pager.h */
	struct vmo *family_next;             /* [family->lock] */
	struct vmo **family_link;            /* [family->lock] who points here; NULL: taken out */
};

/* Called once when a pager VMO dies, without locks. The kernel sets it before the first
 * vmo_create_pager. */
extern void (*vmo_pager_release)(void *pager);

/* All: *out has one reference. `bytes` is rounded up to a page; ERR_ARGS when 0, past VMO_BYTES_MAX
 * or bad flags. ERR_NO_MEMORY, ERR_LIMIT. */
MUST_USE err_t vmo_create(uint64_t bytes, uint32_t flags, struct account *account, struct vmo **out);
/* `pager` becomes the VMO's on success only. */
MUST_USE err_t vmo_create_pager(uint64_t bytes, void *pager, uint64_t key, struct account *account, struct vmo **out);
/* The whole of a PMEM (or device) zone. ERR_BUSY while another is open, ERR_UNSUPPORTED for RAM and
 * DEVICE_PRIVATE. */
MUST_USE err_t vmo_create_zone(struct zone *zone, struct vmo **out);
/* `base` page-aligned, outside every zone and below the CPU's physical limit: else ERR_ARGS. flags:
 * vmo_flag's cache bits. */
MUST_USE err_t vmo_create_physical(uint64_t base, uint64_t bytes, uint32_t flags, struct vmo **out);
/* `memory` is page-aligned direct-map memory that stays for ever (boot archive, system page). */
MUST_USE err_t vmo_create_kernel(const void *memory, uint64_t bytes, struct vmo **out);
/* [offset, +bytes) of `parent`, page-aligned and inside it; ERR_ARGS also when it is resizable. */
MUST_USE err_t vmo_slice(struct vmo *parent, uint64_t offset, uint64_t bytes, struct vmo **out);

/* An anonymous VMO of `size` bytes that begins with [offset, +bytes) of `parent`: offset page-aligned, bytes exact. A
 * page is copied when it is first touched, as it is then. Of what can be missing or go, and of copies, there are none:
 * ERR_UNSUPPORTED for pager and resizable VMOs, copies, and what is no memory. ERR_ARGS, ERR_NO_MEMORY. */
MUST_USE err_t vmo_copy(struct vmo *parent, uint64_t offset, uint64_t bytes, uint64_t size, struct account *account,
	struct vmo **out);

void vmo_ref(struct vmo *vmo);
void vmo_unref(struct vmo *vmo);

static inline uint64_t vmo_bytes(const struct vmo *vmo)
{
	return __atomic_load_n(&vmo->bytes, __ATOMIC_ACQUIRE);
}
uint64_t vmo_id(const struct vmo *vmo);
void *vmo_pager(const struct vmo *vmo); /* NULL unless it is a pager VMO */
uint64_t vmo_key(const struct vmo *vmo);
uint64_t vmo_committed_pages(const struct vmo *vmo);
uint64_t vmo_count(void); /* VMOs that exist, slices included */

/* Pages past the new end leave every mapping and are freed; a byte-exact `bytes` also zeroes the
 * rest of the last page. ERR_UNSUPPORTED: not resizable. ERR_ARGS. Growing costs nothing. */
MUST_USE err_t vmo_resize(struct vmo *vmo, uint64_t bytes);

/* Copy through the direct map; all or nothing is not promised, the order is ascending. ERR_ARGS:
 * past the end. ERR_FAULT: a page that only a pager can supply, or may not be written.
 * ERR_UNSUPPORTED: physical VMOs. Reading a missing anonymous page gives zeros and commits nothing;
 * writing commits (ERR_NO_MEMORY, ERR_LIMIT). */
MUST_USE err_t vmo_read(struct vmo *vmo, uint64_t offset, void *buffer, size_t bytes);
MUST_USE err_t vmo_write(struct vmo *vmo, uint64_t offset, const void *buffer, size_t bytes);

/* Zone, physical, kernel and contiguous VMOs, and slices of them. ERR_UNSUPPORTED else, ERR_ARGS
 * past the end. */
MUST_USE err_t vmo_physical(struct vmo *vmo, uint64_t offset, paddr_t *out);
bool vmo_check(struct vmo *vmo); /* V1, V2, list of regions */

/* For mm/ itself. */
extern struct pool vmo_pool;
void vmo_init_pools(void);
void vmo_tree_init_pools(void);
MUST_USE err_t vmo_new(enum vmo_kind kind, uint64_t bytes, struct account *account, struct vmo **out);
struct vmo *vmo_resolve(struct vmo *vmo, uint64_t *offset);     /* a slice: its parent, *offset moved; else itself */
bool vmo_is_mapped(const struct vmo *vmo);                      /* may the kernel read it through the direct map? */
static inline bool vmo_is_linear(const struct vmo *vmo) /* page i is at base + i pages, always there */
{
	return vmo->kind == VMO_ZONE || vmo->kind == VMO_PHYSICAL || vmo->kind == VMO_KERNEL || vmo->contiguous;
}
struct vmo_leaf *vmo_leaf_find(struct vmo *vmo, uint64_t page); /* NULL: no page of those 2 MiB was ever there */
MUST_USE err_t vmo_leaf_get(struct vmo *vmo, uint64_t page, struct vmo_leaf **out); /* makes it */
/* Room for `page`: afterwards, until the lock is dropped, leaf->entry can hold it. Takes the lock
 * only when it returns OK; ERR_NO_MEMORY, ERR_LIMIT. */
MUST_USE err_t vmo_leaf_lock_room(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t page);
uint64_t vmo_leaf_entry(const struct vmo_leaf *leaf, uint64_t page) TA_EXCL(leaf->lock); /* 0: absent */
void vmo_leaf_set(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t page, uint64_t entry) TA_EXCL(leaf->lock);
/* One 2 MiB page for all entries, none of which may be present but those of the same page; 0 takes
 * it away. */
void vmo_leaf_set_large(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t large) TA_EXCL(leaf->lock);
/* The same pages as 512 entries. ERR_NO_MEMORY, ERR_LIMIT. */
MUST_USE err_t vmo_leaf_break_large(struct vmo *vmo, struct vmo_leaf *leaf) TA_EXCL(leaf->lock);
/* Drop the lock; the array of entries goes if it is empty. */
void vmo_leaf_unlock_trim(struct vmo *vmo, struct vmo_leaf *leaf) TA_RELEASE(leaf->lock);
/* Make `page` of an anonymous VMO present and return with the leaf's lock held; *entry is it, *fresh tells
 * whether it was missing. ERR_FAULT: past the end. */
MUST_USE err_t vmo_commit_lock(struct vmo *vmo, uint64_t page, struct vmo_leaf **out, uint64_t *entry, bool *fresh);
/* If nothing of the 2 MiB around `page` is there, make all of it one 2 MiB page; failing is no
 * harm. */
void vmo_commit_large(struct vmo *vmo, uint64_t page);
void vmo_tree_free(struct vmo *vmo); /* the VMO is dying: frames of anonymous VMOs, entries, nodes */
/* Call `visit` for each leaf that covers some of [first, last]; stops when it returns false. */
void vmo_leaf_walk(struct vmo *vmo, uint64_t first, uint64_t last,
	bool (*visit)(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context), void *context);
