/* SPDX-License-Identifier: GPL-2.0-only */
/* list.h - circular doubly linked lists, links inside the elements. An element that is on no list
 * points to itself. */
#pragma once

#include <lintel/compiler.h>

struct list {
	struct list *next;
	struct list *previous;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->previous = list;
}
static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}
static inline void list_append(struct list *list, struct list *element)
{
	element->previous = list->previous;
	element->next = list;
	list->previous->next = element;
	list->previous = element;
}
static inline void list_prepend(struct list *list, struct list *element)
{
	list_append(list->next, element);
}
static inline void list_remove(struct list *element)
{
	element->previous->next = element->next;
	element->next->previous = element->previous;
	list_init(element);
}
static inline struct list *list_take_first(struct list *list)
{
	struct list *first = list->next;

	if (first == list)
		return NULL;
	list_remove(first);
	return first;
}
#define list_entry(element, type, member) container_of(element, type, member)
#define list_for_each(position, list) \
	for ((position) = (list)->next; (position) != (list); (position) = (position)->next)
#define list_for_each_safe(position, following, list)                            \
	for ((position) = (list)->next, (following) = (position)->next; (position) != (list); \
	     (position) = (following), (following) = (position)->next)
