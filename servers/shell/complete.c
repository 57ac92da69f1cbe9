/* SPDX-License-Identifier: BSD-2-Clause */
/* complete.c - see complete.h. Names with blanks or quotes are left to the typist. */
#include "shell/complete.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shell/commands.h"

#define LISTED_MAX 60

/* Candidates, and the part that all of them begin with. */
struct candidates {
	const char *prefix;
	size_t prefix_bytes;
	size_t count;
	size_t common; /* bytes */
	const char *first;
};

static void consider(struct candidates *c, const char *name)
{
	if (strncmp(name, c->prefix, c->prefix_bytes))
		return;
	if (!c->count++) {
		c->first = name;
		c->common = strlen(name);
		return;
	}
	size_t same = 0;
	while (same < c->common && name[same] == c->first[same])
		same++;
	c->common = same;
}

static void list(struct shell *sh, const struct candidates *c, const char *const *names, size_t count)
{
	size_t listed = 0;
	output_print(&sh->out, "\n");
	for (size_t i = 0; i < count && listed < LISTED_MAX; i++) {
		if (!strncmp(names[i], c->prefix, c->prefix_bytes))
			output_print(&sh->out, "%s%s", listed++ ? "  " : "", names[i]);
	}
	output_print(&sh->out, "%s\n", c->count > LISTED_MAX ? "  ..." : "");
	output_flush(&sh->out);
}

/* What to insert; `end` is what follows a name that is the only one. */
static size_t decide(struct shell *sh, struct candidates *c, const char *const *names, size_t count, const char *end,
                     char *insert, size_t bytes, bool *redraw)
{
	if (!c->count)
		return 0;
	size_t more = c->common - c->prefix_bytes;
	if (more + strlen(end) > bytes)
		return 0;
	memcpy(insert, c->first + c->prefix_bytes, more);
	if (c->count == 1) {
		memcpy(insert + more, end, strlen(end));
		return more + strlen(end);
	}
	if (!more) {
		list(sh, c, names, count);
		*redraw = true;
	}
	return more;
}

static size_t complete_command(struct shell *sh, struct candidates *c, char *insert, size_t bytes, bool *redraw)
{
	const char *names[128];
	size_t count = 0;
	for (size_t g = 0; shell_groups[g]; g++) {
		for (size_t i = 0; i < shell_groups[g]->count && count < 128; i++)
			names[count++] = shell_groups[g]->commands[i].name;
	}
	for (size_t i = 0; i < count; i++)
		consider(c, names[i]);
	return decide(sh, c, names, count, " ", insert, bytes, redraw);
}

static bool is_directory(const char *directory, const char *name)
{
	char path[SHELL_PATH_BYTES];
	struct stat st;
	return name && shell_join(path, directory, name) && !stat(path, &st) && S_ISDIR(st.st_mode);
}

static size_t complete_path(struct shell *sh, struct candidates *c, char *insert, size_t bytes, bool *redraw)
{
	char directory[SHELL_PATH_BYTES] = ".";
	const char *slash = c->prefix + c->prefix_bytes;
	while (slash > c->prefix && slash[-1] != '/')
		slash--;
	size_t length = (size_t)(slash - c->prefix);
	if (length >= sizeof directory)
		return 0;
	if (length) {
		memcpy(directory, c->prefix, length);
		directory[length] = '\0';
	}
	c->prefix = slash;
	c->prefix_bytes -= length;
	struct names n;
	if (names_read(directory, &n))
		return 0;
	for (size_t i = 0; i < n.count; i++)
		consider(c, n.name[i]);
	const char *end = is_directory(directory, c->first) ? "/" : " ";
	size_t result = decide(sh, c, (const char *const *)n.name, n.count, end, insert, bytes, redraw);
	names_free(&n);
	return result;
}

size_t shell_complete(void *context, const char *text, size_t cursor, char *insert, size_t bytes, bool *redraw)
{
	static const char separators[] = " \t;<>&";
	char word[SHELL_PATH_BYTES];
	size_t start = cursor;
	while (start && !strchr(separators, text[start - 1]))
		start--;
	size_t before = start;
	while (before && (text[before - 1] == ' ' || text[before - 1] == '\t'))
		before--;
	bool first = !before || text[before - 1] == ';' || text[before - 1] == '&';
	if (cursor - start >= sizeof word)
		return 0;
	memcpy(word, text + start, cursor - start);
	word[cursor - start] = '\0';
	struct candidates c = { .prefix = word, .prefix_bytes = cursor - start };
	if (first && !strchr(word, '/'))
		return complete_command(context, &c, insert, bytes, redraw);
	return complete_path(context, &c, insert, bytes, redraw);
}
