# SPDX-License-Identifier: BSD-2-Clause
"""emit_messages.py - C for one interface: <name>_proto.h, <name>_client.h and <name>_server.h.

Encoding: word 0 = interface << 16 | message; words 1..5 scalars in order; handles in handle[0..1]. Paths with their NULs,
each filled up with zeroes to whole words, follow in the words that are left, if all of them fit there. Window 0 is the
client's scratch page when they do not, or when there are structures: for paths that are not in words, a u32 length each,
padded to 8, and each with its NUL, padded to 8; in-structures; out-structures. So window 0 is longer than the structures
if, and only if, the paths are there. Window 1 is the bulk buffer. Replies: words 0..5 scalars, handle[0..1]."""
from model import MEMBER_TYPES, SCALARS, banner, comment, pad8, wrap_list


def of_kind(items, *kinds):
    return [item for item in items if item.kind in kinds]


def scalars(items):
    return of_kind(items, "u32", "u64", "i32")


def cast(item):
    return "" if item.kind == "u64" else f"({SCALARS[item.kind]})"


def words_left(message):
    return 5 - len(scalars(message.arguments))


def uses_scratch(message):
    return bool(of_kind(message.arguments, "path", "struct") or of_kind(message.results, "struct"))


def emit_proto(interface):
    upper = interface.name.upper()
    out = banner(f"{interface.name}_proto.h - numbers, constants and structures of the interface `{interface.name}`.",
                 "abi/" + interface.file)
    out += f"#pragma once\n\n#include <lintel/types.h>\n\n#define {upper}_INTERFACE {interface.number}u\n"
    constants = list(interface.constants)
    if "PATH_BYTES_MAX" not in dict(constants):
        constants.append(("PATH_BYTES_MAX", interface.path_bytes_max()))
    out += "".join(f"#define {upper}_{name} {value}u\n" for name, value in constants)
    out += f"\n/* Word 0 of a message is {upper}_INTERFACE << 16 | its number here. */\nenum {interface.name}_message {{\n"
    out += "".join(f"\t{upper}_MESSAGE_{m.name} = {m.number},\n" for m in interface.messages) + "};\n"
    for enumeration in interface.enums:
        out += f"\nenum {enumeration.name} {{\n"
        out += "".join(f"\t{enumeration.prefix()}{name} = {value},\n" for name, value in enumeration.entries) + "};\n"
    for structure in interface.structs:
        out += f"\nstruct {structure.name} {{\n"
        for member in structure.members:
            array = f"[{member.count}]" if member.count else ""
            note = f" /* {member.comment} */" if member.comment else ""
            out += f"\t{MEMBER_TYPES[member.kind]} {member.name}{array};{note}\n"
        out += f"}};\n_Static_assert(sizeof(struct {structure.name}) == {structure.bytes}, \"part of the protocol\");\n"
    return out


# --- the client ---

def client_parameters(message):
    out = ["handle_t server_door"]
    for item in message.arguments:
        if item.kind == "path":
            out.append(f"const char *{item.name}")
        elif item.kind == "struct":
            out.append(f"const struct {item.target} *{item.name}")
        elif item.kind == "bulk":
            const = "const " if item.direction == "in" else ""
            out += [f"{const}void *{item.name}", f"size_t {item.name}_bytes"]
        else:
            out.append(f"{SCALARS[item.kind]} {item.name}")
    return out + [result_parameter(item) for item in message.results]


def result_parameter(item):
    kind = f"struct {item.target}" if item.kind == "struct" else SCALARS[item.kind]
    return f"{kind} *{item.name}"


def client_checks(message):
    out = ""
    for item in of_kind(message.arguments, "bulk"):
        out += f"\tif ({item.name}_bytes > WINDOW_BYTES_MAX)\n\t\treturn ERR_ARGS;\n"
    return out


SCRATCH = "scratch = (uint8_t *)door_scratch();\n{0}if (scratch == NULL)\n{0}\treturn ERR_NO_MEMORY;\n"


def client_paths(message, upper, structs):
    """Into the words, or else into the scratch page; leaves the page's used length in `at`."""
    paths = of_kind(message.arguments, "path")
    first, room = 6 - words_left(message), words_left(message)
    tests = [f"door_words_put(&message.word[{first}], {room}, &words, {item.name})" for item in paths]
    out = "\tuint32_t words = 0;\n\tsize_t at = 0;\n"
    out += f"\tif (!{tests[0]}" if len(tests) == 1 else "\tif (!" + " ||\n\t\t\t!".join(tests)
    out += ") {\n" + ("" if structs else "\t\t" + SCRATCH.format("\t\t"))
    out += f"\t\tat = {pad8(4 * len(paths))};\n"
    for position, item in enumerate(paths):
        out += wrap_list(f"\t\terr_t {item.name}_err = door_scratch_put(",
                         ["scratch", str(position), "&at", item.name, f"{upper}_PATH_BYTES_MAX"], ");", "\t\t\t\t") + "\n"
        out += f"\t\tif ({item.name}_err != OK)\n\t\t\treturn {item.name}_err;\n"
    if not structs:
        out += "\t\tmessage.window[0] = (struct door_window) { scratch, at };\n"
    return out + "\t}\n"


def client_scratch(message, upper):
    """What travels in the scratch page, and its window."""
    structs_in, structs_out = of_kind(message.arguments, "struct"), of_kind(message.results, "struct")
    structs = structs_in + structs_out
    out = ("\tuint8_t *" if structs else "") + (SCRATCH.format("\t") if structs else "\tuint8_t *scratch;\n")
    if of_kind(message.arguments, "path"):
        out += client_paths(message, upper, structs)
    else:
        out += "\tsize_t at = 0;\n"
    for item in structs_in:
        out += f"\t__builtin_memcpy(scratch + at, {item.name}, sizeof(*{item.name}));\n\tat += sizeof(*{item.name});\n"
    for item in structs_out:
        out += f"\tconst size_t {item.name}_at = at;\n\tat += sizeof(*{item.name});\n"
    if structs:
        write = " | WINDOW_WRITE" if structs_out else ""
        out += f"\tmessage.window[0] = (struct door_window) {{ scratch, at{write} }};\n"
    return out


def client_message(interface, message):
    upper = interface.name.upper()
    words = [f"{upper}_INTERFACE << 16 | {upper}_MESSAGE_{message.name}"]
    words += [f"(uint32_t){i.name}" if i.kind == "i32" else i.name for i in scalars(message.arguments)]
    out = "\tstruct door_message message = {\n" + wrap_list("\t\t.word = { ", words, " },", "\t\t\t") + "\n"
    handles = of_kind(message.arguments, "handle")
    if handles:
        out += "\t\t.handle = { " + ", ".join(item.name for item in handles) + " },\n"
    for item in of_kind(message.arguments, "bulk"):
        length = f"{item.name}_bytes"
        if item.direction == "out":
            length += f" != 0 ? {item.name}_bytes | WINDOW_WRITE : 0"
        base = f"(void *)(uintptr_t){item.name}" if item.direction == "in" else item.name
        out += f"\t\t.window[1] = {{ {base}, {length} }},\n"
    return out + "\t};\n"


def client_results(message):
    out = ""
    for position, item in enumerate(scalars(message.results)):
        out += f"\t*{item.name} = {cast(item)}message.word[{position}];\n"
    for position, item in enumerate(of_kind(message.results, "handle")):
        out += f"\t*{item.name} = message.handle[{position}];\n"
    for item in of_kind(message.results, "struct"):
        out += f"\t__builtin_memcpy({item.name}, scratch + {item.name}_at, sizeof(*{item.name}));\n"
    return out


def emit_client_stub(interface, message):
    out = comment(message.text)
    out += wrap_list(f"static inline MUST_USE err_t {interface.name}_{message.name}(",
                     client_parameters(message), ")\n{\n")
    out += client_checks(message)
    for item in of_kind(message.arguments, "bulk"):
        out += f"\tif ({item.name}_bytes == 0)\n\t\t{item.name} = NULL;\n"
    out += client_message(interface, message)
    if uses_scratch(message):
        out += client_scratch(message, interface.name.upper())
    if not message.results:
        return out + "\treturn door_call(server_door, 0, &message);\n}\n\n"
    out += "\terr_t err = door_call(server_door, 0, &message);\n\tif (err != OK)\n\t\treturn err;\n"
    return out + client_results(message) + "\treturn OK;\n}\n\n"


def emit_client(interface):
    name = interface.name
    out = banner(f"{name}_client.h - calls to a server of the interface `{name}`, one function a message.\n"
                 " * Results are written only on OK. Paths travel in the words if they fit there, else, and structures always, in\n"
                 " * the thread's scratch page.",
                 "abi/" + interface.file)
    out += f"#pragma once\n\n#include <lintel/door.h>\n#include <lintel/door_call.h>\n#include <lintel/{name}_proto.h>\n\n"
    return out + "".join(emit_client_stub(interface, m) for m in interface.messages).rstrip("\n") + "\n"


# --- the server ---

def server_parameters(message):
    out = ["struct kit_call *call"]
    return out + client_parameters(message)[1:]


def emit_ops(interface):
    out = f"/* What a server of `{interface.name}` does for each message; NULL answers ERR_UNSUPPORTED. Arguments are\n"
    out += " * checked copies; bulk buffers, and structures that are results, are the caller's own memory, which it\n"
    out += " * can change at any moment: fill all of a structure, and read nothing back. A handle argument belongs to\n"
    out += " * the operation from the call on. Results count only with OK. */\n"
    out += f"struct {interface.name}_ops {{\n"
    for message in interface.messages:
        out += wrap_list(f"\terr_t (*{message.name})(", server_parameters(message), ");") + "\n"
    return out + "};\n\n"


def server_check_words(message):
    wide = [f"call->in.word[{n}] >> 32" for n, i in enumerate(scalars(message.arguments), 1) if i.kind != "u64"]
    if not wide:
        return ""
    return wrap_list("\tif ((", [" | ".join(wide)], ") != 0)") + "\n\t\treturn ERR_BAD_CALL;\n"


def server_paths(message, upper, structs):
    """From the words of the call, which are ours already, or copied out of window 0."""
    paths = of_kind(message.arguments, "path")
    out = "".join(f"\tchar {item.name}_copy[{upper}_PATH_BYTES_MAX + 1];\n\tconst char *{item.name} = {item.name}_copy;\n"
                  for item in paths)
    out += f"\tif (limit == {structs}) {{\n\t\tuint32_t word = {6 - words_left(message)};\n"
    for item in paths:
        out += f"\t\t{item.name} = lintel_words_path(call, &word);\n"
    out += "\t\tif (" + " || ".join(f"{item.name} == NULL" for item in paths) + ")\n\t\t\treturn ERR_BAD_CALL;\n"
    out += f"\t}} else {{\n\t\tat = {pad8(4 * len(paths))};\n\t\tif (limit < at)\n\t\t\treturn ERR_BAD_CALL;\n"
    for position, item in enumerate(paths):
        out += wrap_list(f"\t\terr_t {item.name}_err = lintel_take_path(",
                         ["base", "limit", str(position), "&at", f"{item.name}_copy", f"{upper}_PATH_BYTES_MAX"], ");",
                         "\t\t\t\t") + "\n"
        out += f"\t\tif ({item.name}_err != OK)\n\t\t\treturn {item.name}_err;\n"
    return out + "\t}\n"


def server_scratch(message, upper):
    """Takes paths and structures (each byte of window 0 is read once), checking lengths on the way."""
    structs_in, structs_out = of_kind(message.arguments, "struct"), of_kind(message.results, "struct")
    sizes = [f"sizeof(struct {item.target})" for item in structs_in + structs_out]
    out = ""
    if structs_out:
        out += "\tif (!(call->in.window[0].length & WINDOW_WRITE) || (uintptr_t)call->in.window[0].base % 8 != 0)\n"
        out += "\t\treturn ERR_BAD_CALL;\n"
    out += "\tuint8_t *base = (uint8_t *)call->in.window[0].base;\n"
    out += "\tconst size_t limit = call->in.window[0].length & ~WINDOW_WRITE;\n\tsize_t at = 0;\n"
    if of_kind(message.arguments, "path"):
        out += server_paths(message, upper, " + ".join(sizes) or "0")
    out += f"\tif (limit != {' + '.join(['at'] + sizes)})\n\t\treturn ERR_BAD_CALL;\n"
    for item in structs_in:
        out += f"\tstruct {item.target} {item.name};\n"
        out += f"\t__builtin_memcpy(&{item.name}, base + at, sizeof({item.name}));\n"
        if structs_out or item is not structs_in[-1]:
            out += f"\tat += sizeof({item.name});\n"
    return out


def server_bulk(message):
    out = ""
    for item in of_kind(message.arguments, "bulk"):
        out += f"\tconst size_t {item.name}_bytes = call->in.window[1].length & ~WINDOW_WRITE;\n"
        if item.direction == "out":
            out += f"\tif ({item.name}_bytes != 0 && !(call->in.window[1].length & WINDOW_WRITE))\n"
            out += "\t\treturn ERR_BAD_CALL;\n"
    return out


def server_call(message):
    """Declares the results, takes the handles, calls the operation, puts the results into the reply."""
    out, values, word, handle = "", ["call"], 1, 0
    for item in message.arguments:
        if item.kind in ("u32", "u64", "i32"):
            values.append(f"{cast(item)}call->in.word[{word}]")
            word += 1
        elif item.kind == "handle":
            out += f"\tconst handle_t {item.name} = call->in.handle[{handle}];\n"
            out += f"\tcall->in.handle[{handle}] = HANDLE_NONE;\n"
            values.append(item.name)
            handle += 1
        elif item.kind == "bulk":
            values += ["call->in.window[1].base", f"{item.name}_bytes"]
        else:
            values.append(("&" if item.kind == "struct" else "") + item.name)
    for item in message.results:
        if item.kind == "struct":
            out += f"\tstruct {item.target} *{item.name} = (struct {item.target} *)(void *)(base + at);\n"
            out += f"\tat += sizeof(*{item.name});\n" if item is not of_kind(message.results, "struct")[-1] else ""
            values.append(item.name)
            continue
        out += f"\t{SCALARS[item.kind]} {item.name} = 0;\n"
        values.append("&" + item.name)
    if not message.results:
        return out + wrap_list(f"\treturn ops->{message.name}(", values, ");") + "\n"
    out += wrap_list(f"\terr_t err = ops->{message.name}(", values, ");") + "\n"
    out += "\tif (err != OK)\n\t\treturn err;\n"
    for position, item in enumerate(scalars(message.results)):
        value = f"(uint32_t){item.name}" if item.kind == "i32" else item.name
        out += f"\tcall->out.word[{position}] = {value};\n"
    for position, item in enumerate(of_kind(message.results, "handle")):
        out += f"\tcall->out.handle[{position}] = {item.name};\n"
    return out + "\treturn OK;\n"


def emit_serve(interface, message):
    name = interface.name
    out = wrap_list(f"static inline err_t {name}_serve_{message.name}(",
                    [f"const struct {name}_ops *ops", "struct kit_call *call"], ")\n{\n")
    out += f"\tif (ops->{message.name} == NULL)\n\t\treturn ERR_UNSUPPORTED;\n"
    out += server_check_words(message)
    if uses_scratch(message):
        out += server_scratch(message, name.upper())
    return out + server_bulk(message) + server_call(message) + "}\n\n"


def emit_dispatch(interface):
    name, upper = interface.name, interface.name.upper()
    out = comment("Check one call, carry it out with `ops` and leave the reply in call->out, which is zero before. Handles "
                  "that came with the call and that no operation took are closed. Returns what goes to the caller.")
    out += f"static inline err_t {name}_dispatch(const struct {name}_ops *ops, struct kit_call *call)\n{{\n"
    out += f"\tconst uint64_t number = call->in.word[0] ^ {upper}_INTERFACE << 16;\n\terr_t err = ERR_BAD_CALL;\n\n"
    out += "\tswitch (number) {\n"
    for message in interface.messages:
        out += f"\tcase {upper}_MESSAGE_{message.name}:\n\t\terr = {name}_serve_{message.name}(ops, call);\n\t\tbreak;\n"
    return out + "\t}\n\tlintel_drop_handles(call);\n\treturn err;\n}\n"


def emit_server(interface):
    name = interface.name
    out = banner(f"{name}_server.h - the server's side of the interface `{name}`: what it implements, and\n"
                 " * the dispatch that checks every message before the server sees it.", "abi/" + interface.file)
    out += f"#pragma once\n\n#include <lintel/door.h>\n#include <lintel/{name}_proto.h>\n"
    out += "#include <lintel/dispatch.h>\n\n" + emit_ops(interface)
    out += "".join(emit_serve(interface, m) for m in interface.messages)
    return out + emit_dispatch(interface)


def emit_dispatch_helpers():
    out = banner("dispatch.h - what the dispatch functions of all interfaces share.", "the protocols of abi/")
    return out + """#pragma once

#include <lintel/door.h>
#include <lintel/syscalls.h>
#include "kit/kit.h"

/* Copy path number `index` of the scratch page at `base` (`limit` bytes) to `path`, which holds
 * `most` + 1 bytes; *at moves past it. The caller of the door can change the page meanwhile, so
 * every byte is read once and checked in the copy. */
static inline MUST_USE err_t lintel_take_path(const uint8_t *base, size_t limit, uint32_t index,
		size_t *at, char *path, size_t most)
{
	if ((uintptr_t)base % sizeof(uint64_t) != 0)
		return ERR_BAD_CALL;
	const size_t bytes = ((const volatile uint32_t *)(uintptr_t)base)[index];
	if (bytes > most)
		return ERR_NAME_TOO_LONG;
	const size_t padded = (bytes + 8) & ~(size_t)7;
	if (padded > limit - *at)
		return ERR_BAD_CALL;
	__builtin_memcpy(path, base + *at, bytes);
	path[bytes] = 0;
	if (__builtin_strlen(path) != bytes)
		return ERR_BAD_CALL;
	*at += padded;
	return OK;
}

/* A path in the words of the call, from *word on; *word moves past it. NULL if it does not end there. */
static inline const char *lintel_words_path(const struct kit_call *call, uint32_t *word)
{
	const uint64_t ones = 0x0101010101010101ull;
	const char *path = (const char *)&call->in.word[*word];

	while (*word < DOOR_WORDS) {
		const uint64_t text = call->in.word[(*word)++];
		if (((text - ones) & ~text & ones << 7) != 0)
			return path;
	}
	return NULL;
}

/* Close the handles that came with a call and that nobody took. */
static inline void lintel_drop_handles(struct kit_call *call)
{
	uint64_t all;

	_Static_assert(sizeof(all) == sizeof(call->in.handle), "one look at all");
	__builtin_memcpy(&all, call->in.handle, sizeof(all));
	if (__builtin_expect(all == 0, 1))
		return;
	for (uint32_t i = 0; i < DOOR_HANDLES; i++) {
		if (call->in.handle[i] == HANDLE_NONE)
			continue;
		lintel_handle_close(call->in.handle[i]);
		call->in.handle[i] = HANDLE_NONE;
	}
}
"""
