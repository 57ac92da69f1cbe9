/* SPDX-License-Identifier: GPL-2.0-only */
/* account.c - ceilings on page frames, hierarchical. See account.h for A1 and A2. */
#include "mm/account.h"
#include "mm/pool.h"

static struct pool account_pool;

void account_init_pool(void)
{
	pool_init(&account_pool, "account", sizeof(struct account));
}

void account_init(struct account *account, struct account *parent, uint64_t limit_pages)
{
	*account = (struct account){ .parent = parent, .limit_pages = limit_pages, .refs = 1 };
	account_ref(parent);
}

bool account_is_idle(const struct account *account)
{
	return __atomic_load_n(&account->refs, __ATOMIC_ACQUIRE) == 1 && account_used(account) == 0;
}

err_t account_create(struct account *parent, uint64_t limit_pages, struct account **out)
{
	struct account *account = pool_alloc(&account_pool);

	if (!account)
		return ERR_NO_MEMORY;
	account_init(account, parent, limit_pages);
	account->pooled = true;
	*out = account;
	return OK;
}

void account_ref(struct account *account)
{
	if (account)
		__atomic_fetch_add(&account->refs, 1, __ATOMIC_RELAXED);
}

void account_unref(struct account *account)
{
	while (account && __atomic_fetch_sub(&account->refs, 1, __ATOMIC_ACQ_REL) == 1) {
		struct account *parent = account->parent;

		ASSERT(account_used(account) == 0);
		if (account->pooled)
			pool_free(&account_pool, account);
		account = parent;
	}
}

static bool account_try(struct account *account, uint64_t pages)
{
	uint64_t used = __atomic_load_n(&account->used_pages, __ATOMIC_RELAXED);

	do {
		if (used > account->limit_pages || pages > account->limit_pages - used)
			return false;
	} while (!__atomic_compare_exchange_n(
		&account->used_pages, &used, used + pages, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

err_t account_charge(struct account *account, uint64_t pages)
{
	for (struct account *at = account; at; at = at->parent) {
		if (account_try(at, pages))
			continue;
		for (struct account *undo = account; undo != at; undo = undo->parent)
			__atomic_fetch_sub(&undo->used_pages, pages, __ATOMIC_RELAXED);
		return ERR_LIMIT;
	}
	return OK;
}

void account_release(struct account *account, uint64_t pages)
{
	for (; account; account = account->parent) {
		uint64_t used = __atomic_fetch_sub(&account->used_pages, pages, __ATOMIC_RELAXED);

		ASSERT(used >= pages);
	}
}

uint64_t account_used(const struct account *account)
{
	return __atomic_load_n(&account->used_pages, __ATOMIC_RELAXED);
}
