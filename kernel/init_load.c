/* SPDX-License-Identifier: GPL-2.0-only */
/* init_load.c - find bin/init in the boot archive (POSIX.1-1988 ustar), load it (ELF64, System V ABI chapter 5) and
 * give it the root resource, the archive and the system page. Everything else is loaded by user mode. */
#include "kernel/init_load.h"

#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/resource.h"
#include "kernel/thread.h"
#include "kernel/vmo_object.h"
#include "mm/frame.h"
#include "mm/space.h"
#include "mm/vmo.h"

#include <lintel/startup.h>

#define INIT_PATH "bin/init"
#define STACK_BYTES (256u << 10)
#define BLOCK_BYTES 8192u
#define ARGUMENTS_MAX 64

/* ---- the archive ---- */

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct tar_header) == 512, "a ustar header is one block");

static uint64_t octal(const char *digits, size_t length)
{
	uint64_t value = 0;

	for (size_t i = 0; i < length && digits[i] >= '0' && digits[i] <= '7'; i++)
		value = value * 8 + (uint64_t)(digits[i] - '0');
	return value;
}

static bool text_equal(const char *text, const char *wanted)
{
	while (*text == *wanted && *text != '\0') {
		text++;
		wanted++;
	}
	return *text == *wanted;
}

static const uint8_t *archive_find(const uint8_t *archive, uint64_t bytes, const char *path, uint64_t *size)
{
	for (uint64_t at = 0; at + sizeof(struct tar_header) <= bytes;) {
		const struct tar_header *header = (const void *)(archive + at);
		uint64_t length = octal(header->size, sizeof(header->size));
		const char *name = header->name;

		if (name[0] == '.' && name[1] == '/')
			name += 2;
		at += sizeof(*header);
		if (length > bytes - at)
			return NULL;
		if (header->prefix[0] == '\0' && header->name[99] == '\0' && text_equal(name, path)) {
			*size = length;
			return archive + at;
		}
		at += (length + 511) & ~511ull;
	}
	return NULL;
}

/* ---- the program ---- */

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
#define ELF_LOAD 1
#define ELF_EXECUTE 1
#define ELF_WRITE 2
#define ELF_READ 4

static void must(err_t err, const char *what)
{
	if (err != OK)
		panic("cannot start " INIT_PATH ": %s (error %d)", what, err);
}

static void map(struct process *process, struct vmo *vmo, uint64_t bytes, vaddr_t hint, uint32_t flags, vaddr_t *out)
{
	uint32_t rights = (flags & SPACE_READ ? RIGHT_READ : 0) | (flags & SPACE_WRITE ? RIGHT_WRITE : 0) |
			  (flags & SPACE_EXECUTE ? RIGHT_EXECUTE : 0);

	must(space_map(process->space, vmo, 0, bytes, hint, flags, rights, out), "mapping failed");
	vmo_unref(vmo); /* the mapping keeps it */
}

static void segment_load(struct process *process, const uint8_t *file, uint64_t size, const struct elf_segment *segment)
{
	uint64_t start = segment->vaddr & ~PAGE_MASK;
	uint64_t end = (segment->vaddr + segment->memsz + PAGE_MASK) & ~PAGE_MASK;
	struct vmo *vmo;
	uint32_t flags = SPACE_FIXED | SPACE_READ;
	vaddr_t at;

	if (segment->offset > size || segment->filesz > size - segment->offset || segment->filesz > segment->memsz ||
	    !address_is_user(segment->vaddr, segment->memsz))
		panic(INIT_PATH ": a segment lies outside the file or the user half");
	if ((segment->flags & ELF_EXECUTE) && (segment->flags & ELF_WRITE))
		panic(INIT_PATH ": a segment is writable and executable");
	if (segment->flags & ELF_WRITE)
		flags |= SPACE_WRITE;
	if (segment->flags & ELF_EXECUTE)
		flags |= SPACE_EXECUTE;
	must(vmo_create(end - start, 0, process->account, &vmo), "no memory");
	must(vmo_write(vmo, segment->vaddr - start, file + segment->offset, segment->filesz), "no memory");
	map(process, vmo, end - start, VADDR(start), flags, &at);
}

static uint64_t program_load(struct process *process, const uint8_t *file, uint64_t size)
{
	const struct elf_header *header = (const void *)file;
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F', 2, 1 };

	if (size < sizeof(*header) || __builtin_memcmp(header->ident, magic, sizeof(magic)) != 0 || header->type != 2 ||
	    header->machine != 62 || header->phentsize != sizeof(struct elf_segment) || header->phoff > size ||
	    header->phnum > (size - header->phoff) / sizeof(struct elf_segment))
		panic(INIT_PATH " is not a static x86-64 ELF program");
	for (uint32_t i = 0; i < header->phnum; i++) {
		const struct elf_segment *segment = (const void *)(file + header->phoff + i * sizeof(*segment));

		if (segment->type == ELF_LOAD && segment->memsz != 0)
			segment_load(process, file, size, segment);
	}
	return header->entry;
}

/* ---- the startup block ---- */

static uint8_t block_memory[BLOCK_BYTES] ALIGNED(8); /* used once, before there is another thread */

static uint32_t block_put(uint32_t *used, const void *data, uint32_t bytes)
{
	uint32_t at = (*used + 7) & ~7u;

	if (bytes > BLOCK_BYTES - at)
		panic("the kernel command line is too long for init's startup block");
	__builtin_memcpy(block_memory + at, data, bytes);
	*used = at + bytes;
	return at;
}

static void arguments_put(struct startup_block *block, uint32_t *used, const char *line)
{
	uint32_t offset[ARGUMENTS_MAX];
	uint32_t count = 0;

	offset[count++] = block_put(used, "init", 5);
	while (*line != '\0' && count < ARGUMENTS_MAX) {
		size_t length = 0;

		while (*line == ' ')
			line++;
		while (line[length] != '\0' && line[length] != ' ')
			length++;
		if (length == 0)
			break;
		offset[count++] = block_put(used, line, (uint32_t)length);
		block_put(used, "", 1);
		line += length;
	}
	block->argc = count;
	block->argv_offset = block_put(used, offset, count * sizeof(offset[0]));
}

static handle_t give(struct process *process, struct object *object, uint32_t rights)
{
	handle_t handle;

	must(handle_add(&process->handles, object, rights, &handle), "no memory for handles");
	object_unref(object);
	return handle;
}

static struct object *vmo_object(struct vmo *vmo)
{
	struct vmo_object *object;

	must(vmo_object_create(vmo, &object), "no memory");
	return &object->object;
}

static struct vmo *sysinfo_make(void)
{
	struct vmo *vmo;
	paddr_t frame;

	must(frame_alloc_zeroed(NULL, &frame), "no memory");
	arch_fill_sysinfo(phys_to_virt(frame));
	must(vmo_create_kernel(phys_to_virt(frame), PAGE_SIZE, &vmo), "no memory");
	return vmo;
}

/* Puts everything that init owns into its table and tells it so in the block; returns where the block is mapped. */
static vaddr_t startup_make(struct process *process, struct thread *thread, const struct boot_info *boot, vaddr_t stack)
{
	struct startup_block block = { .magic = STARTUP_MAGIC, .version = STARTUP_VERSION };
	uint32_t used = sizeof(block);
	const uint32_t vmo_rights = RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_READ;
	struct vmo *archive, *sysinfo = sysinfo_make(), *vmo;
	struct resource *root;
	vaddr_t at, sysinfo_at;

	must(vmo_create_kernel(phys_to_virt(PADDR(boot->archive_base)), boot->archive_bytes, &archive), "no memory");
	must(resource_create_root(&root), "no memory");
	object_ref(&process->object);
	object_ref(&thread->object);
	vmo_ref(sysinfo);
	map(process, sysinfo, PAGE_SIZE, VADDR(0), SPACE_READ, &sysinfo_at);
	struct startup_handle handles[] = {
		{ .kind = STARTUP_PROCESS, .handle = give(process, &process->object, process_class.rights) },
		{ .kind = STARTUP_THREAD, .handle = give(process, &thread->object, thread_class.rights) },
		{ .kind = STARTUP_RESOURCE, .argument = RESOURCE_ROOT,
		  .handle = give(process, &root->object, resource_class.rights) },
		{ .kind = STARTUP_ARCHIVE, .handle = give(process, vmo_object(archive), vmo_rights) },
		{ .kind = STARTUP_SYSINFO, .handle = give(process, vmo_object(sysinfo), vmo_rights) },
	};

	arguments_put(&block, &used, boot->command_line);
	block.handles = ARRAY_LEN(handles);
	block.handles_offset = block_put(&used, handles, sizeof(handles));
	block.cwd_offset = block_put(&used, "/", 2);
	block.env_offset = block.names_offset = block.handles_offset;
	block.stack_base = stack.v;
	block.stack_bytes = STACK_BYTES;
	block.sysinfo = sysinfo_at.v;
	block.bytes = used;
	__builtin_memcpy(block_memory, &block, sizeof(block));

	must(vmo_create(BLOCK_BYTES, 0, process->account, &vmo), "no memory");
	must(vmo_write(vmo, 0, block_memory, used), "no memory");
	map(process, vmo, BLOCK_BYTES, VADDR(0), SPACE_READ | SPACE_WRITE, &at);
	return at;
}

void init_load(const struct boot_info *boot)
{
	const uint8_t *file;
	struct process *process;
	struct thread *thread;
	struct vmo *vmo;
	uint64_t size, entry;
	vaddr_t stack, block;

	if (boot->archive_bytes == 0)
		panic("no boot archive was loaded: give it as initrd (PVH), module2 (GRUB) or \\lintel\\boot.tar (UEFI)");
	file = archive_find(phys_to_virt(PADDR(boot->archive_base)), boot->archive_bytes, INIT_PATH, &size);
	if (file == NULL)
		panic("the boot archive has no " INIT_PATH ", or is not a ustar archive");
	must(process_create(NULL, "init", UINT64_MAX, &process), "no memory");
	entry = program_load(process, file, size);
	must(vmo_create(STACK_BYTES, 0, process->account, &vmo), "no memory");
	map(process, vmo, STACK_BYTES, VADDR(0), SPACE_READ | SPACE_WRITE | SPACE_GUARD, &stack);
	must(thread_create(process, "main", &thread), "no memory");
	block = startup_make(process, thread, boot, stack);
	must(thread_start(thread, entry, stack.v + STACK_BYTES, 0, block.v), "it does not start");
	object_unref(&thread->object);
	object_unref(&process->object);
}
