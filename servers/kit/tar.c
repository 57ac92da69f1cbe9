/* SPDX-License-Identifier: BSD-2-Clause */
/* tar.c - the ustar reader; see tar.h. */
#include "kit/tar.h"

#include <string.h>

struct tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK_BYTES, "a header is one block");

/* What extension headers said about the entry that follows. */
struct tar_extra {
	bool has_name;
	bool has_target;
	bool has_size;
	uint64_t size;
};

void tar_open(struct tar *tar, const void *base, uint64_t bytes)
{
	*tar = (struct tar) { .base = base, .bytes = bytes, .reason = "" };
}

static err_t tar_refuse(struct tar *tar, const char *reason)
{
	tar->reason = reason;
	return ERR_BAD_FORMAT;
}

/* Octal, ended by NUL or a space; or, if the first bit is set, GNU's big-endian base 256. */
static bool tar_number(const char *field, size_t bytes, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	if ((uint8_t)field[0] & 0x80) {
		for (i = 0; i < bytes; i++) {
			uint8_t byte = (uint8_t)field[i] & (i == 0 ? 0x7f : 0xff);
			if (value >> 56 != 0)
				return false;
			value = value << 8 | byte;
		}
		*out = value;
		return true;
	}
	while (i < bytes && field[i] == ' ')
		i++;
	for (; i < bytes && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 61 != 0)
			return false;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	for (; i < bytes; i++)
		if (field[i] != 0 && field[i] != ' ')
			return false;
	*out = value;
	return true;
}

static bool tar_checksum_good(const struct tar_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	const size_t from = offsetof(struct tar_header, checksum);
	uint64_t want, sum = 0;

	if (!tar_number(header->checksum, sizeof(header->checksum), &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
		sum += i >= from && i < from + sizeof(header->checksum) ? ' ' : bytes[i];
	return sum == want;
}

static bool block_zero(const uint8_t *block)
{
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
		if (block[i] != 0)
			return false;
	return true;
}

/* The bytes of a field up to its NUL, as a string. */
static bool tar_string(char *out, const char *field, size_t bytes)
{
	size_t length = strnlen(field, bytes);

	if (length > TAR_NAME_BYTES_MAX)
		return false;
	memcpy(out, field, length);
	out[length] = 0;
	return true;
}

/* Drop leading "/" and "./", trailing and double "/"; ".." would lead out of the tree: refused. */
static bool tar_name_clean(char *name)
{
	size_t in = 0, out = 0;

	while (name[in] != 0) {
		while (name[in] == '/')
			in++;
		size_t end = in;
		while (name[end] != 0 && name[end] != '/')
			end++;
		size_t bytes = end - in;
		if (bytes == 2 && name[in] == '.' && name[in + 1] == '.')
			return false;
		if (bytes != 0 && !(bytes == 1 && name[in] == '.')) {
			if (out != 0)
				name[out++] = '/';
			memmove(name + out, name + in, bytes);
			out += bytes;
		}
		in = end;
	}
	name[out] = 0;
	return true;
}

/* One "length key=value\n" record of a pax header; *at moves past it. */
static bool pax_record(const uint8_t *data, uint64_t bytes, uint64_t *at, struct tar_entry *entry,
		struct tar_extra *extra)
{
	uint64_t length = 0, start = *at, i = start;

	for (; i < bytes && data[i] >= '0' && data[i] <= '9' && length < 1u << 20; i++)
		length = length * 10 + (uint64_t)(data[i] - '0');
	if (i == start || i >= bytes || data[i] != ' ' || length > bytes - start || length < i - start + 3)
		return false;
	const char *key = (const char *)data + i + 1;
	const char *end = (const char *)data + start + length - 1;
	const char *equals = memchr(key, '=', (size_t)(end - key));
	if (*end != '\n' || equals == NULL)
		return false;
	const size_t key_bytes = (size_t)(equals - key), value_bytes = (size_t)(end - equals - 1);
	*at = start + length;
	if (key_bytes == 4 && memcmp(key, "path", 4) == 0) {
		extra->has_name = true;
		return tar_string(entry->name, equals + 1, value_bytes);
	}
	if (key_bytes == 8 && memcmp(key, "linkpath", 8) == 0) {
		extra->has_target = true;
		return tar_string(entry->target, equals + 1, value_bytes);
	}
	if (key_bytes == 4 && memcmp(key, "size", 4) == 0) {
		extra->has_size = true;
		extra->size = 0;
		for (const char *digit = equals + 1; digit < end; digit++) {
			if (*digit < '0' || *digit > '9' || extra->size > UINT64_MAX / 16)
				return false;
			extra->size = extra->size * 10 + (uint64_t)(*digit - '0');
		}
	}
	return true;
}

static err_t tar_extension(struct tar *tar, char type, const uint8_t *data, uint64_t bytes, struct tar_entry *entry,
		struct tar_extra *extra)
{
	if (type == 'g')
		return OK;
	if (type == 'L') {
		extra->has_name = true;
		return tar_string(entry->name, (const char *)data, bytes) ? OK : tar_refuse(tar, "a name is too long");
	}
	if (type == 'K') {
		extra->has_target = true;
		return tar_string(entry->target, (const char *)data, bytes) ? OK : tar_refuse(tar, "a link is too long");
	}
	for (uint64_t at = 0; at < bytes;)
		if (!pax_record(data, bytes, &at, entry, extra))
			return tar_refuse(tar, "a pax header is malformed");
	return OK;
}

static bool tar_default_name(const struct tar_header *header, char *out)
{
	char name[sizeof(header->name) + 1];
	size_t at = 0;

	/* GNU tar writes "ustar  " and uses the prefix for other things. */
	if (memcmp(header->magic, "ustar", 6) == 0 && header->prefix[0] != 0) {
		if (!tar_string(out, header->prefix, sizeof(header->prefix)))
			return false;
		at = strlen(out);
		out[at++] = '/';
	}
	if (!tar_string(name, header->name, sizeof(header->name)))
		return false;
	memcpy(out + at, name, strlen(name) + 1);
	return true;
}

static enum tar_type tar_type_of(const struct tar_header *header)
{
	switch (header->type) {
	case 0:
	case '0':
	case '7':
		/* Before POSIX, a directory was a file whose name ends in a slash. */
		return header->name[0] != 0 && header->name[strnlen(header->name, sizeof(header->name)) - 1] == '/'
				? TAR_DIRECTORY : TAR_FILE;
	case '1':
		return TAR_LINK;
	case '2':
		return TAR_SYMLINK;
	case '5':
		return TAR_DIRECTORY;
	}
	return TAR_OTHER;
}

static err_t tar_fill(struct tar *tar, const struct tar_header *header, const struct tar_extra *extra,
		const uint8_t *data, uint64_t bytes, struct tar_entry *out)
{
	uint64_t mode, uid, gid, mtime;

	if (!tar_number(header->mode, sizeof(header->mode), &mode) ||
			!tar_number(header->uid, sizeof(header->uid), &uid) ||
			!tar_number(header->gid, sizeof(header->gid), &gid) ||
			!tar_number(header->mtime, sizeof(header->mtime), &mtime))
		return tar_refuse(tar, "a number in a header is malformed");
	if (!extra->has_name && !tar_default_name(header, out->name))
		return tar_refuse(tar, "a name is too long");
	if (!extra->has_target && !tar_string(out->target, header->link, sizeof(header->link)))
		return tar_refuse(tar, "a link is too long");
	out->type = tar_type_of(header);
	out->mode = (uint32_t)mode & 07777;
	out->uid = (uint32_t)uid;
	out->gid = (uint32_t)gid;
	out->mtime_s = mtime;
	out->data = data;
	out->bytes = out->type == TAR_FILE ? bytes : 0;
	if (!tar_name_clean(out->name) || (out->type == TAR_LINK && !tar_name_clean(out->target)))
		return tar_refuse(tar, "a name leads out of the archive");
	if (out->type != TAR_SYMLINK && out->type != TAR_LINK)
		out->target[0] = 0;
	if (out->name[0] == 0 && out->type != TAR_DIRECTORY)
		return tar_refuse(tar, "an entry has no name");
	return OK;
}

err_t tar_next(struct tar *tar, struct tar_entry *out)
{
	struct tar_extra extra = { 0 };

	while (!tar->ended && tar->at < tar->bytes) {
		if (tar->bytes - tar->at < TAR_BLOCK_BYTES)
			return tar_refuse(tar, "the archive is cut short");
		const struct tar_header *header = (const struct tar_header *)(tar->base + tar->at);
		if (block_zero(tar->base + tar->at)) {
			tar->ended = true;
			break;
		}
		uint64_t bytes;
		if (!tar_checksum_good(header))
			return tar_refuse(tar, "a header's checksum is wrong: damaged, or not an archive");
		if (!tar_number(header->size, sizeof(header->size), &bytes))
			return tar_refuse(tar, "a size is malformed");
		const bool extension = header->type == 'x' || header->type == 'g' || header->type == 'L' ||
				header->type == 'K';
		const bool links = header->type >= '1' && header->type <= '6';
		if (links)
			bytes = 0;
		else if (!extension && extra.has_size)
			bytes = extra.size;
		const uint64_t room = tar->bytes - tar->at - TAR_BLOCK_BYTES;
		const uint8_t *data = tar->base + tar->at + TAR_BLOCK_BYTES;
		if (bytes > room)
			return tar_refuse(tar, "the archive is cut short");
		uint64_t padded = (bytes + TAR_BLOCK_BYTES - 1) & ~(uint64_t)(TAR_BLOCK_BYTES - 1);
		tar->at += TAR_BLOCK_BYTES + (padded > room ? room : padded);
		if (!extension)
			return tar_fill(tar, header, &extra, data, bytes, out);
		err_t err = tar_extension(tar, header->type, data, bytes, out, &extra);
		if (err != OK)
			return err;
	}
	return extra.has_name || extra.has_target ? tar_refuse(tar, "the archive is cut short") : ERR_NOT_FOUND;
}
