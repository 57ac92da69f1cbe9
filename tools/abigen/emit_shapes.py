# SPDX-License-Identifier: BSD-2-Clause
"""emit_shapes.py - the system calls as data, for programs that make all of them: rights tests and fuzzers."""
from model import banner

KINDS = {"handle": "SHAPE_HANDLE", "u32": "SHAPE_U32", "i32": "SHAPE_U32", "u64": "SHAPE_U64", "size": "SHAPE_SIZE",
         "time": "SHAPE_TIME", "addr": "SHAPE_ADDRESS", "pointer": "SHAPE_POINTER"}


def emit_argument(call, argument):
    kind, rest = KINDS[argument.kind], ""
    for name, object_type, rights in call.handles:
        if name == argument.name:
            rest = f", OBJECT_{object_type}, " + (" | ".join(f"RIGHT_{right}" for right in rights) or "0")
    return "{ " + kind + rest + " }"


def emit_shapes(calls):
    out = banner("call_shapes.h - every system call as data: kinds of arguments, and what its handles must be.",
                 "abi/syscalls.def")
    out += "#pragma once\n\n#include <lintel/syscall_numbers.h>\n#include <lintel/types.h>\n\n"
    out += "enum shape_kind {\n\tSHAPE_NONE, SHAPE_HANDLE, SHAPE_U32, SHAPE_U64, SHAPE_SIZE, SHAPE_TIME, SHAPE_ADDRESS,\n"
    out += "\tSHAPE_POINTER\n};\n\n"
    out += "struct call_shape {\n\tconst char *name;\n\tbool raw; /* arguments in registers of its own */\n"
    out += "\tstruct {\n\t\tuint8_t kind; /* enum shape_kind */\n"
    out += "\t\tuint8_t type; /* SHAPE_HANDLE: enum object_type, OBJECT_NONE: any */\n"
    out += "\t\tuint16_t rights; /* SHAPE_HANDLE */\n\t} argument[6];\n};\n\n"
    out += "static const struct call_shape call_shapes[SYSCALL_COUNT] = {\n"
    for call in calls:
        arguments = [] if call.raw else [emit_argument(call, argument) for argument in call.arguments]
        out += f"\t[SYSCALL_{call.name}] = {{ \"{call.name}\", {'true' if call.raw else 'false'}, {{\n"
        out += "".join(f"\t\t{argument},\n" for argument in arguments) + "\t} },\n"
    return out + "};\n"
