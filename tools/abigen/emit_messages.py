# SPDX-License-Identifier: BSD-2-Clause
"""emit_messages.py - C for one interface: <name>_proto.h, <name>_client.h and <name>_server.h.

Encoding: word 0 = interface << 16 | message; words 1..5 scalars in order; handles in handle[0..1]. Window 0 is the
client's scratch page when there are paths or structures: a u32 length a path, padded to 8; each path with its NUL,
padded to 8; in-structures; out-structures. Window 1 is the bulk buffer. Replies: words 0..5 scalars, handle[0..1]."""
from model import MEMBER_TYPES, SCALARS, banner, comment, pad8, wrap_list


def of_kind(items, *kinds):
    return [item for item in items if item.kind in kinds]


def scalars(items):
    return of_kind(items, "u32", "u64", "i32")


def cast(item):
    return "" if item.kind == "u64" else f"({SCALARS[item.kind]})"


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


def client_checks(message, upper):
    out = ""
    paths = of_kind(message.arguments, "path")
    for item in paths:
        out += f"\tsize_t {item.name}_bytes = __builtin_strlen({item.name});\n"
    for item in paths:
        out += f"\tif ({item.name}_bytes > {upper}_PATH_BYTES_MAX)\n\t\treturn ERR_NAME_TOO_LONG;\n"
    for item in of_kind(message.arguments, "bulk"):
        out += f"\tif ({item.name}_bytes > WINDOW_BYTES_MAX)\n\t\treturn ERR_ARGS;\n"
    return out


def client_scratch(message):
    """Fills the scratch page; leaves its used length in `at`."""
    paths = of_kind(message.arguments, "path")
    out = "\tuint8_t *scratch = (uint8_t *)door_scratch();\n\tif (scratch == NULL)\n\t\treturn ERR_NO_MEMORY;\n"
    if paths:
        values = [f"(uint32_t){item.name}_bytes" for item in paths]
        out += wrap_list(f"\tconst uint32_t lengths[{len(paths)}] = {{ ", values, " };") + "\n"
        out += "\t__builtin_memcpy(scratch, lengths, sizeof(lengths));\n"
    out += f"\tsize_t at = {pad8(4 * len(paths))};\n"
    for item in paths:
        out += f"\t__builtin_memcpy(scratch + at, {item.name}, {item.name}_bytes + 1);\n"
        out += f"\tat += ({item.name}_bytes + 8) & ~(size_t)7;\n"
    for item in of_kind(message.arguments, "struct"):
        out += f"\t__builtin_memcpy(scratch + at, {item.name}, sizeof(*{item.name}));\n\tat += sizeof(*{item.name});\n"
    for item in of_kind(message.results, "struct"):
        out += f"\tconst size_t {item.name}_at = at;\n\tat += sizeof(*{item.name});\n"
    return out


def client_message(interface, message):
    upper = interface.name.upper()
    words = [f"{upper}_INTERFACE << 16 | {upper}_MESSAGE_{message.name}"]
    words += [f"(uint32_t){i.name}" if i.kind == "i32" else i.name for i in scalars(message.arguments)]
    out = "\tstruct door_message message = {\n" + wrap_list("\t\t.word = { ", words, " },", "\t\t\t") + "\n"
    handles = of_kind(message.arguments, "handle")
    if handles:
        out += "\t\t.handle = { " + ", ".join(item.name for item in handles) + " },\n"
    if uses_scratch(message):
        write = " | WINDOW_WRITE" if of_kind(message.results, "struct") else ""
        out += f"\t\t.window[0] = {{ scratch, at{write} }},\n"
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
    checks = client_checks(message, interface.name.upper())
    out += checks
    if uses_scratch(message):
        out += client_scratch(message)
    for item in of_kind(message.arguments, "bulk"):
        out += f"\tif ({item.name}_bytes == 0)\n\t\t{item.name} = NULL;\n"
    out += client_message(interface, message)
    if not message.results:
        return out + "\treturn door_call(server_door, 0, &message);\n}\n\n"
    out += "\terr_t err = door_call(server_door, 0, &message);\n\tif (err != OK)\n\t\treturn err;\n"
    return out + client_results(message) + "\treturn OK;\n}\n\n"


def emit_client(interface):
    name = interface.name
    out = banner(f"{name}_client.h - calls to a server of the interface `{name}`, one function a message.\n"
                 " * Results are written only on OK. Paths and structures travel in the thread's scratch page.",
                 "abi/" + interface.file)
    out += f"#pragma once\n\n#include <lintel/door.h>\n#include <lintel/door_call.h>\n#include <lintel/{name}_proto.h>\n\n"
    return out + "".join(emit_client_stub(interface, m) for m in interface.messages).rstrip("\n") + "\n"


# --- the server ---

def server_parameters(message):
    out = ["struct kit_call *call"]
    return out + client_parameters(message)[1:]


def emit_ops(interface):
    out = f"/* What a server of `{interface.name}` does for each message; NULL answers ERR_UNSUPPORTED. Arguments are\n"
    out += " * checked copies; bulk buffers are the caller's own memory, which it can change at any moment.\n"
    out += " * A handle argument belongs to the operation from the call on. Results count only with OK. */\n"
    out += f"struct {interface.name}_ops {{\n"
    for message in interface.messages:
        out += wrap_list(f"\terr_t (*{message.name})(", server_parameters(message), ");") + "\n"
    return out + "};\n\n"


def server_check_words(message):
    wide = [f"call->in.word[{n}] >> 32" for n, i in enumerate(scalars(message.arguments), 1) if i.kind != "u64"]
    if not wide:
        return ""
    return wrap_list("\tif ((", [" | ".join(wide)], ") != 0)") + "\n\t\treturn ERR_BAD_CALL;\n"


def server_scratch(message, upper):
    """Copies paths and structures out of window 0 (each byte is read once), checking lengths on the way."""
    paths = of_kind(message.arguments, "path")
    structs_in, structs_out = of_kind(message.arguments, "struct"), of_kind(message.results, "struct")
    out = ""
    if structs_out:
        out += "\tif (!(call->in.window[0].length & WINDOW_WRITE))\n\t\treturn ERR_BAD_CALL;\n"
    out += "\tuint8_t *base = (uint8_t *)call->in.window[0].base;\n"
    out += "\tconst size_t limit = call->in.window[0].length & ~WINDOW_WRITE;\n"
    out += f"\tsize_t at = {pad8(4 * len(paths))};\n"
    out += "\tif (limit < at)\n\t\treturn ERR_BAD_CALL;\n" if paths else ""
    for position, item in enumerate(paths):
        out += f"\tchar {item.name}[{upper}_PATH_BYTES_MAX + 1];\n"
        out += wrap_list(f"\terr_t {item.name}_err = lintel_take_path(",
                         ["base", "limit", str(position), "&at", item.name, f"{upper}_PATH_BYTES_MAX"], ");") + "\n"
        out += f"\tif ({item.name}_err != OK)\n\t\treturn {item.name}_err;\n"
    total = " + ".join(["at"] + [f"sizeof(struct {item.target})" for item in structs_in + structs_out])
    out += f"\tif (limit != {total})\n\t\treturn ERR_BAD_CALL;\n"
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
        kind = f"struct {item.target}" if item.kind == "struct" else SCALARS[item.kind]
        out += f"\t{kind} {item.name} = {'{ 0 }' if item.kind == 'struct' else '0'};\n"
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
    structs = of_kind(message.results, "struct")
    for item in structs:
        out += f"\t__builtin_memcpy(base + at, &{item.name}, sizeof({item.name}));\n"
        if item is not structs[-1]:
            out += f"\tat += sizeof({item.name});\n"
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
    out = comment("Check one call, carry it out with `ops` and leave the reply in call->out. Handles that came "
                  "with the call and that no operation took are closed. Returns what goes to the caller.")
    out += f"static inline err_t {name}_dispatch(const struct {name}_ops *ops, struct kit_call *call)\n{{\n"
    out += f"\tconst uint64_t number = call->in.word[0] ^ {upper}_INTERFACE << 16;\n\terr_t err = ERR_BAD_CALL;\n\n"
    out += "\tlintel_clear_reply(call);\n\tswitch (number) {\n"
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

/* A reply carries nothing but what an operation put there. */
static inline void lintel_clear_reply(struct kit_call *call)
{
	for (uint32_t i = 0; i < DOOR_WORDS; i++)
		call->out.word[i] = 0;
	for (uint32_t i = 0; i < DOOR_HANDLES; i++)
		call->out.handle[i] = HANDLE_NONE;
}

/* Close the handles that came with a call and that nobody took. */
static inline void lintel_drop_handles(struct kit_call *call)
{
	for (uint32_t i = 0; i < DOOR_HANDLES; i++) {
		if (call->in.handle[i] == HANDLE_NONE)
			continue;
		lintel_handle_close(call->in.handle[i]);
		call->in.handle[i] = HANDLE_NONE;
	}
}
"""
