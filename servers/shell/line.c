/* SPDX-License-Identifier: BSD-2-Clause */
/* line.c - the command line's little grammar. */
#include "shell/line.h"

#include <string.h>

struct scan {
	const char *at;
	char *fill;
	const char *end; /* of the room behind `fill` */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return !c || is_blank(c) || c == ';' || c == '<' || c == '>' || (c == '&');
}

static bool put(struct scan *s, char c)
{
	if (s->fill == s->end)
		return false;
	*s->fill++ = c;
	return true;
}

/* From a quote to its partner. */
static const char *take_quoted(struct scan *s)
{
	char quote = *s->at++;
	for (; *s->at != quote; s->at++) {
		if (!*s->at)
			return "a quote is not closed";
		if (quote == '"' && *s->at == '\\' && s->at[1])
			s->at++;
		if (!put(s, *s->at))
			return "the line is too long";
	}
	s->at++;
	return NULL;
}

/* One word, NUL-terminated in the command's text. */
static const char *take_word(struct scan *s, char **word)
{
	*word = s->fill;
	while (!ends_word(*s->at)) {
		if (*s->at == '\'' || *s->at == '"') {
			const char *why = take_quoted(s);
			if (why)
				return why;
			continue;
		}
		if (*s->at == '\\' && s->at[1])
			s->at++;
		if (!put(s, *s->at++))
			return "the line is too long";
	}
	return put(s, '\0') ? NULL : "the line is too long";
}

static void skip_blanks(struct scan *s)
{
	while (is_blank(*s->at))
		s->at++;
	if (*s->at == '#')
		s->at += strlen(s->at);
}

static const char *take_redirection(struct scan *s, struct line_command *c)
{
	bool in = *s->at++ == '<';
	bool append = !in && *s->at == '>';
	s->at += append;
	skip_blanks(s);
	if (ends_word(*s->at))
		return "a file name is missing behind < or >";
	char *name;
	const char *why = take_word(s, &name);
	if (why)
		return why;
	if (in) {
		c->input = name;
	} else {
		c->output = name;
		c->append = append;
	}
	return NULL;
}

/* true at the end of the command, with the separator consumed. */
static bool take_separator(struct scan *s, struct line_command *c)
{
	if (!*s->at) {
		c->next = LINE_END;
		return true;
	}
	if (*s->at == ';') {
		s->at++;
		c->next = LINE_THEN;
		return true;
	}
	if (s->at[0] == '&' && s->at[1] == '&') {
		s->at += 2;
		c->next = LINE_AND;
		return true;
	}
	return false;
}

const char *line_next(const char **cursor, struct line_command *c)
{
	struct scan s = { *cursor, c->text, c->text + sizeof c->text };
	c->argc = 0;
	c->input = c->output = NULL;
	c->append = false;
	for (;;) {
		const char *why = NULL;
		skip_blanks(&s);
		if (take_separator(&s, c))
			break;
		if (*s.at == '&')
			why = "there are no background commands";
		else if (*s.at == '<' || *s.at == '>')
			why = take_redirection(&s, c);
		else if (c->argc == LINE_WORDS_MAX)
			why = "too many words";
		else
			why = take_word(&s, &c->argv[c->argc++]);
		if (why)
			return why;
	}
	c->argv[c->argc] = NULL;
	*cursor = s.at;
	if (!c->argc && (c->input || c->output))
		return "a command is missing";
	if (!c->argc && c->next == LINE_AND)
		return "a command is missing before &&";
	return NULL;
}
