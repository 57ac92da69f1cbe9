/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_inject.c - every operation with its nth allocation failing, for all n: it says so,
 * changes nothing that can be seen, loses nothing, and works when it is tried again.
 * link: mm/ !mm/frame.c !mm/pool.c tests/unit/mm_inject.c tests/unit/port_host.c */
#include "mm_test.h"

#include "mm/kernel_space.h"

#define RAM_BASE (16 * MIB)
#define AT 0x40000000ull

static struct account account;
static struct zone *pmem;
static struct boot_info info;

static int group_begin(void **state)
{
	(void)state;
	host_start(2, true);
	info.ranges = 1;
	info.range[0] = (struct boot_range){ RAM_BASE, 192 * MIB, BOOT_MEMORY_USABLE, 0 };
	info.kernel_base = 2 * MIB;
	info.cpus = 2;
	info.pmems = 1;
	info.pmem[0] = (struct boot_pmem){ 4 * GIB, 64 * MIB, 0, 1 };
	mm_init(&info);
	pmem = zone_get(1);
	return 0;
}

/* What a scenario works on. It makes its objects, then `act`s under failure, then takes all away. */
struct scene {
	struct space *space, *server;
	struct vmo *vmo, *source;
	struct pager_request request;
	struct window window;
	vaddr_t out;
};

static bool is_out_of_memory(err_t err)
{
	return err == ERR_NO_MEMORY || err == ERR_LIMIT;
}

static void scene_begin(struct scene *scene)
{
	*scene = (struct scene){ 0 };
	host_fail_allocation(0);
	assert_ok(space_create(&account, &scene->space));
	assert_ok(space_create(&account, &scene->server));
	assert_ok(space_make_serving(scene->server));
	window_init(&scene->window, 3);
}

static void scene_end(struct scene *scene)
{
	host_fail_allocation(0);
	window_unmap(&scene->window);
	assert_true(space_check(scene->space));
	assert_true(space_check(scene->server));
	host_leave();
	space_destroy(scene->space);
	space_destroy(scene->server);
	if (scene->vmo) {
		assert_true(vmo_check(scene->vmo));
		vmo_unref(scene->vmo);
	}
	if (scene->source)
		vmo_unref(scene->source);
}

static err_t act_vmo_create(struct scene *scene)
{
	return vmo_create(40 * 4096, VMO_CONTIGUOUS, &account, &scene->vmo);
}

static err_t act_write(struct scene *scene)
{
	static char data[20000];

	return vmo_write(scene->vmo, 700 * MIB - 1, data, sizeof(data));
}

static err_t act_slice(struct scene *scene)
{
	struct vmo *slice;
	err_t err = vmo_slice(scene->vmo, 0, 4096, &slice);

	if (err == OK)
		vmo_unref(slice);
	return err;
}

static err_t act_copy(struct scene *scene)
{
	char byte = 1;
	struct vmo *copy;
	err_t err = vmo_copy(scene->vmo, 0, 4097, 3 * 4096, &account, &copy);

	if (err != OK)
		return err;
	err = vmo_write(copy, 4096, &byte, 1);
	vmo_unref(copy);
	return err;
}

static err_t act_zone(struct scene *scene)
{
	return vmo_create_zone(pmem, &scene->vmo);
}

static err_t act_space(struct scene *scene)
{
	struct space *space;
	err_t err = space_create(&account, &space);

	(void)scene;
	if (err != OK)
		return err;
	err = space_make_serving(space);
	space_destroy(space);
	return err;
}

static err_t act_map(struct scene *scene)
{
	return space_map(
		scene->space, scene->vmo, 0, 8 * 4096, VADDR(AT), RW | SPACE_FIXED, RIGHTS_RWX, &scene->out);
}

static err_t act_populate(struct scene *scene)
{
	err_t err = space_map(scene->space, scene->vmo, 0, 4 * MIB, VADDR(AT + GIB),
		RW | SPACE_FIXED | SPACE_POPULATE, RIGHTS_RWX, &scene->out);

	return err;
}

static err_t act_fault(struct scene *scene)
{
	host_enter(scene->space);
	return host_write_fault(scene->space, AT + 3 * 4096, 5, &scene->request);
}

static err_t act_unmap(struct scene *scene)
{
	return space_unmap(scene->space, VADDR(AT + 4096), 4096);
}

static err_t act_protect(struct scene *scene)
{
	return space_protect(scene->space, VADDR(AT + 4096), 2 * 4096, SPACE_READ);
}

static err_t act_supply(struct scene *scene)
{
	return vmo_supply(scene->vmo, MIB, scene->source, MIB, 6 * MIB, true);
}

static err_t act_supply_small(struct scene *scene)
{
	return vmo_supply(scene->vmo, MIB, scene->source, 4096, 6 * MIB, true);
}

static err_t act_window(struct scene *scene)
{
	if (scene->window.state != WINDOW_CLOSED)
		return OK;
	return window_map(scene->server, 0, &scene->window, scene->space, VADDR(AT + 100), 5 * 4096,
		true, &scene->out, &scene->request);
}

static err_t act_stack(struct scene *scene)
{
	void *top;
	err_t err;

	(void)scene;
	kstacks_reclaim();
	err = kstack_alloc(&top);
	if (err == OK)
		kstack_free(top);
	return err;
}

static void want_mapping(struct scene *scene)
{
	assert_ok(vmo_create(4 * MIB, 0, &account, &scene->vmo));
	assert_ok(act_map(scene));
}

static void want_touched(struct scene *scene)
{
	want_mapping(scene);
	for (uint64_t i = 0; i < 8; i++)
		assert_ok(host_write_fault(scene->space, AT + i * 4096, i, &scene->request));
}

static void want_vmo(struct scene *scene)
{
	assert_ok(vmo_create(4 * MIB, 0, &account, &scene->vmo));
}

static void want_big_vmo(struct scene *scene)
{
	assert_ok(vmo_create(GIB, VMO_RESIZABLE, &account, &scene->vmo));
}

static void want_pager(struct scene *scene)
{
	assert_ok(vmo_create_zone(pmem, &scene->source));
	assert_ok(vmo_create_pager(8 * MIB, NULL, 0, &account, &scene->vmo));
}

/* Fail the 1st, 2nd, ... allocation until the operation gets through without meeting one. */
static void run(
	void (*prepare)(struct scene *scene), err_t (*act)(struct scene *scene), bool best_effort)
{
	uint64_t free = 0;
	uint64_t used = 0;

	for (uint64_t nth = 1; nth < 1000; nth++) {
		struct scene scene;
		err_t err;

		mm_reclaim(); /* every slab and cache is empty, so pools allocate, too */
		if (nth == 1)
			free = frame_free_count();
		scene_begin(&scene);
		if (prepare)
			prepare(&scene);
		used = account_used(&account);
		host_fail_allocation(nth);
		err = act(&scene);
		if (host_allocations() < nth) {
			assert_ok(err);
			scene_end(&scene);
			mm_reclaim();
			assert_int_equal(frame_free_count(), free);
			assert_true(nth > 1 || !prepare);
			return;
		}
		assert_true(is_out_of_memory(err) || (best_effort && err == OK));
		host_fail_allocation(0);
		if (err != OK) {
			assert_int_equal(scene.window.state, WINDOW_CLOSED);
			assert_true(account_used(&account) >= used);
			assert_ok(act(&scene)); /* and now it works */
		}
		scene_end(&scene);
		mm_reclaim();
		assert_true(frame_check());
		assert_int_equal(frame_free_count(), free);
		assert_int_equal(account_used(&account), 0);
	}
	fail_msg("it never gets through");
}

static int begin(void **state)
{
	account_init(&account, NULL, 1 << 20);
	host_fail_allocation(0);
	return mm_test_begin(state);
}

#define INJECT(name, prepare, act, best_effort) \
	static void name(void **state) \
	{ \
		(void)state; \
		run(prepare, act, best_effort); \
	}

INJECT(creating_a_contiguous_vmo, NULL, act_vmo_create, false)
INJECT(writing_a_vmo, want_big_vmo, act_write, false)
INJECT(slicing, want_vmo, act_slice, false)
INJECT(copying, want_vmo, act_copy, false)
INJECT(opening_a_zone, NULL, act_zone, false)
INJECT(creating_a_serving_space, NULL, act_space, false)
INJECT(mapping, want_vmo, act_map, false)
INJECT(populating, want_vmo, act_populate, true)
INJECT(faulting, want_mapping, act_fault, false)
INJECT(unmapping, want_touched, act_unmap, false)
INJECT(protecting, want_touched, act_protect, false)
INJECT(supplying, want_pager, act_supply, false)
INJECT(supplying_small_pages, want_pager, act_supply_small, false)
INJECT(opening_a_window, want_mapping, act_window, false)
INJECT(making_a_stack, NULL, act_stack, false)

/* Revocation of half a large page must not fail when there is no memory: it takes the whole. */
static void revoking_cannot_fail(void **state)
{
	struct scene scene;
	uint64_t value;

	(void)state;
	scene_begin(&scene);
	want_pager(&scene);
	assert_ok(vmo_supply(scene.vmo, 0, scene.source, 0, 8 * MIB, true));
	assert_ok(space_map(
		scene.space, scene.vmo, 0, 8 * MIB, VADDR(AT), RW | SPACE_FIXED, RIGHTS_RWX, &scene.out));
	for (uint64_t i = 0; i < 8; i++)
		assert_ok(host_write_fault(scene.space, AT + i * MIB, i, &scene.request));
	host_fail_allocation(1);
	assert_ok(vmo_revoke(scene.vmo, 3 * MIB, 4096));
	assert_int_equal(vmo_committed_pages(scene.vmo), 3 * 512);
	assert_false(host_read(scene.space, AT + 3 * MIB, &value));
	assert_false(host_read(scene.space, AT + 2 * MIB, &value));
	assert_true(host_read(scene.space, AT + 4 * MIB, &value));
	scene_end(&scene);
}

#define INJECT_TEST(function) cmocka_unit_test_setup_teardown(function, begin, mm_test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		INJECT_TEST(creating_a_contiguous_vmo),
		INJECT_TEST(writing_a_vmo),
		INJECT_TEST(slicing),
		INJECT_TEST(copying),
		INJECT_TEST(opening_a_zone),
		INJECT_TEST(creating_a_serving_space),
		INJECT_TEST(mapping),
		INJECT_TEST(populating),
		INJECT_TEST(faulting),
		INJECT_TEST(unmapping),
		INJECT_TEST(protecting),
		INJECT_TEST(supplying),
		INJECT_TEST(supplying_small_pages),
		INJECT_TEST(opening_a_window),
		INJECT_TEST(making_a_stack),
		INJECT_TEST(revoking_cannot_fail),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
