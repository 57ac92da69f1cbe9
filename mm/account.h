/* SPDX-License-Identifier: GPL-2.0-only */
/* account.h - who pays for page frames: a ceiling, charged together with all its ancestors.
 * Units: pages of 4 KiB.
 * Owner: whoever made it; VMOs, spaces and children hold references, because they can outlive the
 * process that pays.
 * Locks: none; [a] atomic. [I] immutable after creation.
 * Context: threads; never from an interrupt.
 * A1  used_pages of an account >= the sum over its children; both are exact at every quiet moment.
 * A2  used_pages <= limit_pages, except that a charge in flight may stand above it until it is
 *     refused. */
#pragma once

#include "mm/port.h"

struct account {
	struct account *parent; /* [I] NULL: a root */
	uint64_t limit_pages;   /* [I] */
	uint64_t used_pages;    /* [a] */
	uint32_t refs;          /* [a] */
	bool pooled;            /* [I] made by account_create */
};

/* A static or embedded account. Its memory must stay until its last reference is gone
 * (account_is_idle). */
void account_init(struct account *account, struct account *parent, uint64_t limit_pages);
bool account_is_idle(const struct account *account); /* only the owner's reference is left and nothing is charged */

/* An account with one reference, freed with its last one: what a process should use. ERR_NO_MEMORY. */
MUST_USE err_t account_create(struct account *parent, uint64_t limit_pages, struct account **out);
void account_ref(struct account *account); /* NULL is allowed in both: the kernel pays */
void account_unref(struct account *account);

/* Charge to the account and all its ancestors, or to none of them (ERR_LIMIT). NULL: always OK. */
MUST_USE err_t account_charge(struct account *account, uint64_t pages);
void account_release(struct account *account, uint64_t pages);
uint64_t account_used(const struct account *account);
void account_init_pool(void);
