/* SPDX-License-Identifier: BSD-2-Clause */
/* data.c - looking into bytes: hexdump, sha256sum; and the table of the group `data`. */
#include "shell/commands.h"
#include "shell/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DUMP_ROW_BYTES 16

static void dump_row(struct shell *sh, uint64_t offset, const uint8_t *bytes, size_t count)
{
	output_print(&sh->out, "%08" PRIx64 " ", offset);
	for (size_t i = 0; i < DUMP_ROW_BYTES; i++) {
		const char *gap = i == 8 ? "  " : " ";
		if (i < count)
			output_print(&sh->out, "%s%02x", gap, bytes[i]);
		else
			output_print(&sh->out, "%s  ", gap);
	}
	char text[DUMP_ROW_BYTES + 1];
	for (size_t i = 0; i < count; i++)
		text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	text[count] = '\0';
	output_print(&sh->out, "  |%s|\n", text);
}

static int dump(struct shell *sh, int fd, const char *name, uint64_t offset, uint64_t limit)
{
	while (limit) {
		size_t want = limit < 4096 ? (size_t)limit : 4096;
		ssize_t n = pread(fd, bulk_buffer, want, (off_t)offset);
		if (n < 0)
			return shell_complain(sh, name, errno);
		if (n == 0)
			break;
		for (size_t at = 0; at < (size_t)n; at += DUMP_ROW_BYTES) {
			size_t count = (size_t)n - at < DUMP_ROW_BYTES ? (size_t)n - at : DUMP_ROW_BYTES;
			dump_row(sh, offset + at, (const uint8_t *)bulk_buffer + at, count);
		}
		offset += (uint64_t)n;
		limit -= (uint64_t)n;
	}
	return 0;
}

static bool parse_offset(const char *text, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return !errno && end != text && !*end && text[0] != '-' && *out <= INT64_MAX;
}

static int command_hexdump(struct shell *sh, int argc, char **argv)
{
	uint64_t offset = 0, limit = INT64_MAX;
	while (argc > 2 && argv[1][0] == '-') {
		uint64_t *value = !strcmp(argv[1], "-s") ? &offset : !strcmp(argv[1], "-n") ? &limit : NULL;
		if (!value || !parse_offset(argv[2], value))
			return shell_usage(sh);
		argv += 2;
		argc -= 2;
	}
	if (argc != 2)
		return shell_usage(sh);
	int fd = open(argv[1], O_RDONLY);
	if (fd < 0)
		return shell_complain(sh, argv[1], errno);
	int status = dump(sh, fd, argv[1], offset, limit);
	close(fd);
	return status;
}

static int hash_fd(struct shell *sh, int fd, const char *name)
{
	struct sha256 h;
	sha256_start(&h);
	for (;;) {
		ssize_t n = read(fd, bulk_buffer, sizeof bulk_buffer);
		if (n < 0)
			return shell_complain(sh, name, errno);
		if (n == 0)
			break;
		sha256_add(&h, bulk_buffer, (size_t)n);
	}
	uint8_t digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	sha256_finish(&h, digest);
	sha256_text(digest, text);
	output_print(&sh->out, "%s  %s\n", text, name);
	return 0;
}

static int command_sha256sum(struct shell *sh, int argc, char **argv)
{
	if (argc < 2 && sh->in == 0)
		return shell_usage(sh);
	if (argc < 2)
		return hash_fd(sh, sh->in, "-");
	int status = 0;
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		if (fd < 0) {
			status = shell_complain(sh, argv[i], errno);
			continue;
		}
		status |= hash_fd(sh, fd, argv[i]);
		close(fd);
	}
	return status;
}

static const struct command commands[] = {
	{ "hexdump", "[-s OFFSET] [-n BYTES] FILE", "bytes as hexadecimal and text", command_hexdump },
	{ "sha256sum", "FILE...", "SHA-256 of files", command_sha256sum },
	{ "import", "[ARCHIVE [DIRECTORY]]", "unpack a tar archive; " TREE_ARCHIVE " to " TREE_ROOT,
	  command_import },
	{ "verify", "[LIST [DIRECTORY]]", "hash files against a sha256sum list; " TREE_LIST ", " TREE_ROOT,
	  command_verify },
};
const struct command_group group_data = { "data", commands, sizeof commands / sizeof commands[0] };
