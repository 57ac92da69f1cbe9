/* SPDX-License-Identifier: GPL-2.0-only */
/* handle.c - tables of handles.
 *
 * I1  used + listed + fresh slots = slots in the pages that are there, less index 0, which is never given out. Slots
 *     from table->fresh on were never given out: nobody has written them yet, and nobody looks at them.
 * I2  A slot that is in use holds one reference and one handle count on its object.
 * I3  Nothing is dropped under the table's lock: closing can end a process, which closes its handles. */
#include "kernel/handle.h"

#include "mm/frame.h"

#define NO_HANDLE UINT64_MAX /* not even HANDLE_NONE, whose index is 0 */

static struct handle_door no_doors[HANDLE_SLOTS_PER_PAGE] = { { .handle = NO_HANDLE } }; /* L3: nobody writes it */

static struct handle_door *const no_pages[HANDLE_PAGES] = { [0 ... HANDLE_PAGES - 1] = no_doors };

static struct handle_slot *slot_at(const struct handle_table *table, uint32_t index)
{
	return &table->pages->slots[index / HANDLE_SLOTS_PER_PAGE][index % HANDLE_SLOTS_PER_PAGE];
}

static struct handle_door *door_at(const struct handle_table *table, uint32_t index)
{
	return &table->pages->doors[index / HANDLE_SLOTS_PER_PAGE][index % HANDLE_SLOTS_PER_PAGE];
}

static handle_t handle_of(uint32_t index, const struct handle_slot *slot)
{
	return (handle_t)slot->generation << HANDLE_INDEX_BITS | index;
}

err_t handle_table_init(struct handle_table *table, struct account *account)
{
	paddr_t frame;
	err_t err;

	_Static_assert(sizeof(struct handle_pages) <= PAGE_SIZE, "one page of pointers");
	spin_init(&table->lock, LOCK_RANK_PROCESS);
	table->slots = table->used = table->fresh = table->first_free = table->last_free = 0;
	table->closed = false;
	table->account = account;
	err = frame_alloc(account, &frame);
	if (err != OK)
		return err;
	table->pages = phys_to_virt(frame);
	__builtin_memcpy(table->pages->doors, no_pages, sizeof(no_pages));
	return OK;
}

static void push_free(struct handle_table *table, uint32_t index) TA_EXCL(table->lock)
{
	slot_at(table, index)->next_free = 0;
	if (table->first_free == 0)
		table->first_free = index;
	else
		slot_at(table, table->last_free)->next_free = (uint16_t)index;
	table->last_free = index;
}

static err_t grow(struct handle_table *table) TA_EXCL(table->lock)
{
	uint32_t first = table->slots, page = first / HANDLE_SLOTS_PER_PAGE;
	paddr_t slots, doors;
	err_t err;

	if (first > HANDLES_MAX)
		return ERR_LIMIT;
	err = frame_alloc(table->account, &slots);
	if (err != OK)
		return err;
	err = frame_alloc_zeroed(table->account, &doors);
	if (err != OK) {
		frame_free(table->account, slots);
		return err;
	}
	table->pages->slots[page] = phys_to_virt(slots);
	__atomic_store_n(&table->pages->doors[page], phys_to_virt(doors), __ATOMIC_RELEASE);
	table->slots += HANDLE_SLOTS_PER_PAGE;
	if (first == 0) {
		door_at(table, 0)->handle = NO_HANDLE;
		table->fresh = 1;
	}
	return OK;
}

static uint32_t free_slots(const struct handle_table *table) TA_EXCL(table->lock)
{
	return table->slots == 0 ? 0 : table->slots - 1 - table->used;
}

/* Make sure that `count` slots are free. */
static err_t reserve(struct handle_table *table, uint32_t count) TA_EXCL(table->lock)
{
	err_t err = OK;

	if (table->closed)
		return ERR_BAD_STATE;
	while (err == OK && free_slots(table) < count)
		err = grow(table);
	return err;
}

/* A free slot: one that was never used while there is one, else the one that has been free for longest. */
static uint32_t pop_free(struct handle_table *table) TA_EXCL(table->lock)
{
	uint32_t index = table->fresh;
	struct handle_slot *slot;

	if (index < table->slots) {
		table->fresh++;
		*slot_at(table, index) = (struct handle_slot){ .generation = 1 };
		return index;
	}
	index = table->first_free;
	slot = slot_at(table, index);
	table->first_free = slot->next_free;
	slot->next_free = 0;
	return index;
}

/* The object's reference and handle count are the slot's from here on. */
static handle_t fill(struct handle_table *table, struct object *object, uint32_t rights) TA_EXCL(table->lock)
{
	uint32_t index = pop_free(table);
	struct handle_slot *slot = slot_at(table, index);

	slot->object = object;
	slot->rights = rights;
	if (object->class->type == OBJECT_DOOR && (rights & RIGHT_CALL)) { /* L1 */
		struct handle_door *door = door_at(table, index);

		__atomic_store_n(&door->door, object, __ATOMIC_RELEASE);
		__atomic_store_n(&door->handle, handle_of(index, slot), __ATOMIC_RELEASE);
	}
	table->used++;
	return handle_of(index, slot);
}

/* Inline: half of what a look-up costs would be the call. */
static inline struct handle_slot *find(const struct handle_table *table, handle_t handle) TA_EXCL(table->lock)
{
	uint32_t index = handle & ((1u << HANDLE_INDEX_BITS) - 1);
	struct handle_slot *slot;

	if (index == 0 || index >= table->fresh)
		return NULL;
	slot = slot_at(table, index);
	return slot->object != NULL && slot->generation == handle >> HANDLE_INDEX_BITS ? slot : NULL;
}

static struct object *empty(struct handle_table *table, uint32_t index) TA_EXCL(table->lock)
{
	struct handle_slot *slot = slot_at(table, index);
	struct object *object = slot->object;

	__atomic_store_n(&door_at(table, index)->handle, HANDLE_NONE, __ATOMIC_RELEASE); /* L1 */
	slot->generation = slot->generation == UINT16_MAX ? 1 : (uint16_t)(slot->generation + 1);
	slot->rights = 0;
	slot->object = NULL;
	table->used--;
	push_free(table, index);
	return object;
}

static void drop(struct object *object)
{
	object_handle_dropped(object);
	object_unref(object);
}

err_t handle_add(struct handle_table *table, struct object *object, uint32_t rights, handle_t *out)
{
	err_t err;

	spin_lock(&table->lock);
	err = reserve(table, 1);
	if (err == OK) {
		object_ref(object);
		object_handle_added(object);
		*out = fill(table, object, rights);
	}
	spin_unlock(&table->lock);
	return err;
}

err_t handle_close(struct handle_table *table, handle_t handle)
{
	struct object *object = NULL;

	spin_lock(&table->lock);
	if (find(table, handle) != NULL)
		object = empty(table, handle & ((1u << HANDLE_INDEX_BITS) - 1));
	spin_unlock(&table->lock);
	if (object == NULL)
		return ERR_BAD_HANDLE;
	drop(object);
	return OK;
}

err_t handle_get(struct handle_table *table, handle_t handle, enum object_type type, uint32_t rights,
		 struct object **out)
{
	const struct handle_slot *slot;
	err_t err = OK;

	spin_lock(&table->lock);
	slot = find(table, handle);
	if (unlikely(slot == NULL)) {
		err = ERR_BAD_HANDLE;
	} else if (unlikely(type != OBJECT_NONE && slot->object->class->type != type)) {
		err = ERR_WRONG_TYPE;
	} else if (unlikely((slot->rights & rights) != rights)) {
		err = ERR_DENIED;
	} else {
		object_ref(slot->object);
		*out = slot->object;
	}
	spin_unlock(&table->lock);
	return err;
}

err_t handle_rights(struct handle_table *table, handle_t handle, uint32_t *type, uint32_t *rights)
{
	const struct handle_slot *slot;

	spin_lock(&table->lock);
	slot = find(table, handle);
	if (slot != NULL) {
		*type = slot->object->class->type;
		*rights = slot->rights;
	}
	spin_unlock(&table->lock);
	return slot != NULL ? OK : ERR_BAD_HANDLE;
}

err_t handle_look(struct handle_table *table, handle_t handle, uint32_t needed, struct object **out, uint32_t *have)
{
	const struct handle_slot *slot;
	err_t err = OK;

	spin_lock(&table->lock);
	slot = find(table, handle);
	if (unlikely(slot == NULL)) {
		err = ERR_BAD_HANDLE;
	} else if (unlikely((slot->rights & needed) != needed)) {
		err = ERR_DENIED;
	} else {
		object_ref(slot->object);
		*out = slot->object;
		*have = slot->rights;
	}
	spin_unlock(&table->lock);
	return err;
}

err_t handle_narrow(uint32_t have, uint32_t wanted, uint32_t *out)
{
	if (wanted == RIGHTS_SAME) {
		*out = have;
		return OK;
	}
	if (wanted & ~(uint32_t)RIGHTS_ALL)
		return ERR_ARGS;
	if (wanted & ~have)
		return ERR_DENIED;
	*out = wanted;
	return OK;
}

/* Check that all can go, none twice. */
static err_t takeable(const struct handle_table *table, const handle_t *handles, uint32_t count) TA_EXCL(table->lock)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct handle_slot *slot;

		if (handles[i] == HANDLE_NONE)
			continue;
		slot = find(table, handles[i]);
		if (slot == NULL)
			return ERR_BAD_HANDLE;
		if (!(slot->rights & RIGHT_TRANSFER))
			return ERR_DENIED;
		for (uint32_t j = 0; j < i; j++)
			if (handles[j] == handles[i])
				return ERR_BAD_HANDLE;
	}
	return OK;
}

err_t handle_take(struct handle_table *table, const handle_t *handles, uint32_t count, struct handle_moved *out)
{
	err_t err;

	spin_lock(&table->lock);
	err = takeable(table, handles, count);
	for (uint32_t i = 0; err == OK && i < count; i++) {
		out[i] = (struct handle_moved){ .object = NULL };
		if (handles[i] == HANDLE_NONE)
			continue;
		out[i].rights = find(table, handles[i])->rights;
		out[i].object = empty(table, handles[i] & ((1u << HANDLE_INDEX_BITS) - 1));
	}
	spin_unlock(&table->lock);
	return err;
}

void handle_drop(const struct handle_moved *moved, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (moved[i].object != NULL)
			drop(moved[i].object);
}

void handle_table_clear(struct handle_table *table)
{
	uint32_t slots, fresh;

	if (table->pages == NULL)
		return;
	spin_lock(&table->lock);
	table->closed = true;
	slots = table->slots;
	fresh = table->fresh;
	spin_unlock(&table->lock);
	for (uint32_t index = 1; index < fresh; index++) {
		struct object *object = NULL;

		spin_lock(&table->lock);
		if (slot_at(table, index)->object != NULL)
			object = empty(table, index);
		spin_unlock(&table->lock);
		if (object != NULL)
			drop(object);
	}
	spin_lock(&table->lock);
	table->slots = table->fresh = table->first_free = 0; /* from here on nothing is found */
	spin_unlock(&table->lock);
	for (uint32_t page = 0; page < slots / HANDLE_SLOTS_PER_PAGE; page++) {
		frame_free(table->account, virt_to_phys(table->pages->doors[page]));
		frame_free(table->account, virt_to_phys(table->pages->slots[page]));
	}
	frame_free(table->account, virt_to_phys(table->pages));
	table->pages = NULL;
}
