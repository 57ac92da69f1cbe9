# SPDX-License-Identifier: BSD-2-Clause
"""emit_calls.py - C for the system calls: numbers, user stubs, the kernel's prototypes and its table; and errors.h."""
from model import SCALARS, banner, comment, wrap_list

REGISTERS = ["rdi", "rsi", "rdx", "r10", "r8", "r9"]


def emit_errors(errors):
    out = banner("errors.h - every result that a system call or a door call can give.", "abi/errors.def")
    out += "#pragma once\n\n/* X(name, value, sentence) */\n#define LINTEL_ERRORS(X) \\\n"
    out += " \\\n".join(f'\tX({e.name}, {e.value}, "{e.sentence}")' for e in errors) + "\n\n"
    out += "enum lintel_error {\n"
    out += "".join(f"\t{e.name} = {e.value},\n" for e in errors)
    return out + "};\n"


def emit_numbers(calls):
    out = banner("syscall_numbers.h - the number of each system call.", "abi/syscalls.def")
    out += "#pragma once\n\nenum syscall_number {\n"
    out += "".join(f"\tSYSCALL_{call.name} = {call.number},\n" for call in calls)
    return out + f"\tSYSCALL_COUNT = {len(calls)}\n}};\n"


def user_parameter(argument):
    if argument.kind == "pointer":
        const = "const " if argument.direction == "in" else ""
        return f"{const}{argument.target} *{argument.name}"
    return f"{SCALARS[argument.kind]} {argument.name}"


def kernel_parameter(argument):
    if argument.kind == "pointer":
        const = "const " if argument.direction == "in" else ""
        return f"{const}{argument.target} __user *{argument.name}"
    return f"{SCALARS[argument.kind]} {argument.name}"


def register_value(argument):
    """The 64 bits that carry an argument: zero-extended, as everything unsigned is."""
    if argument.kind == "pointer":
        return f"(uint64_t){argument.name}"
    if argument.kind == "i32":
        return f"(uint32_t){argument.name}"
    return argument.name


def stub_body(call):
    """The asm statement: arguments in and out (the kernel clears them), the rest of the caller-saved set clobbered."""
    used = REGISTERS[:len(call.arguments)]
    out = f"\tregister uint64_t rax __asm__(\"rax\") = SYSCALL_{call.name};\n"
    for register, argument in zip(used, call.arguments):
        out += f"\tregister uint64_t {register} __asm__(\"{register}\") = {register_value(argument)};\n"
    outputs = ['"+r"(rax)'] + [f'"+r"({register})' for register in used]
    clobbers = ["rcx", "r11", "memory"] + [register for register in REGISTERS if register not in used]
    if call.result and "rdx" not in used:
        out += '\tregister uint64_t rdx __asm__("rdx");\n'
        outputs.append('"=r"(rdx)')
        clobbers.remove("rdx")
    clobber_text = ", ".join(f'"{name}"' for name in clobbers)
    out += wrap_list("\t__asm__ volatile(\"syscall\" : ", outputs, f"\n\t\t: : {clobber_text});\n")
    if call.result:
        cast = "" if SCALARS[call.result.kind] == "uint64_t" else f"({SCALARS[call.result.kind]})"
        out += f"\tif ((err_t)rax == OK)\n\t\t*{call.result.name} = {cast}rdx;\n"
    return out + "\treturn (err_t)rax;\n"


def emit_stub(call):
    parameters = [user_parameter(argument) for argument in call.arguments]
    if call.result:
        parameters.append(f"{SCALARS[call.result.kind]} *{call.result.name}")
    must_use = "MUST_USE " if call.result or call.errors else ""
    head = f"static inline {must_use}err_t lintel_{call.name}("
    out = comment(call.text)
    out += wrap_list(head, parameters or ["void"], ")\n")
    return out + "{\n" + stub_body(call) + "}\n\n"


def emit_stubs(calls):
    out = banner("syscalls.h - user side of every system call: one inline stub a call.\n"
                 " * Values come back through the last pointers, written only on OK. Vector registers survive a call.\n"
                 " * door_call and door_return have stubs of their own in libc and in the servers' kit.",
                 "abi/syscalls.def")
    out += "#pragma once\n\n#include <lintel/syscall_numbers.h>\n#include <lintel/types.h>\n"
    structs = sorted({a.target for c in calls for a in c.arguments
                      if a.kind == "pointer" and a.target.startswith("struct ")})
    out += "\n" + "".join(f"{name};\n" for name in structs) + "\n"
    return out + "".join(emit_stub(call) for call in calls if not call.raw).rstrip("\n") + "\n"


def kernel_parameters(call):
    if call.raw:
        return ["struct trap_frame *frame"]
    parameters = [kernel_parameter(argument) for argument in call.arguments]
    return parameters + (["uint64_t *result"] if call.result else [])


def emit_handlers(calls):
    out = banner("syscall_handlers.h - the kernel's side of every system call, and the table that leads to it.\n"
                 " * *result is zero before the call and reaches the caller only with OK.", "abi/syscalls.def")
    out = out.replace("BSD-2-Clause", "GPL-2.0-only", 1)
    out += "#pragma once\n\n#include <lintel/syscall_numbers.h>\n#include <lintel/types.h>\n\n"
    out += '#include "kernel/arch.h" /* __user */\n\nstruct trap_frame;\n'
    structs = sorted({a.target for c in calls for a in c.arguments
                      if a.kind == "pointer" and a.target.startswith("struct ")})
    out += "".join(f"{name};\n" for name in structs)
    out += "\nstruct syscall_entry {\n\tconst char *name;\n\tuint32_t arguments;\n"
    out += "\tvoid (*handler)(struct trap_frame *frame);\n};\n\n"
    out += "extern const struct syscall_entry syscall_table[SYSCALL_COUNT];\n\n"
    for call in calls:
        kind = "void" if call.raw else "MUST_USE err_t"
        out += wrap_list(f"{kind} sys_{call.name}(", kernel_parameters(call) or ["void"], ");") + "\n"
    return out


def unpack(argument, register):
    if argument.kind == "pointer":
        const = "const " if argument.direction == "in" else ""
        return f"({const}{argument.target} __user *)frame->{register}"
    if argument.kind in ("u32", "i32", "handle"):
        return f"({SCALARS[argument.kind]})frame->{register}"
    return f"frame->{register}"


def emit_wrapper(call):
    out = f"static void call_{call.name}(struct trap_frame *frame)\n{{\n"
    values = [unpack(argument, register) for argument, register in zip(call.arguments, REGISTERS)]
    if call.result:
        out += "\tuint64_t result = 0;\n"
        values.append("&result")
    out += wrap_list(f"\terr_t err = sys_{call.name}(", values, ");") + "\n"
    out += "\tframe->rax = (uint64_t)(int64_t)err;\n"
    out += "\tframe->rdx = err == OK ? result : 0;\n" if call.result else "\tframe->rdx = 0;\n"
    return out + "}\n\n"


def emit_table(calls):
    out = banner("syscall_table.c - unpacks the registers of each system call and calls its handler.",
                 "abi/syscalls.def").replace("BSD-2-Clause", "GPL-2.0-only", 1)
    out += '#include "kernel/syscall_handlers.h"\n#include "kernel/arch/x86_64/trap_frame.h"\n\n'
    out += "".join(emit_wrapper(call) for call in calls if not call.raw)
    out += "const struct syscall_entry syscall_table[SYSCALL_COUNT] = {\n"
    for call in calls:
        handler = f"sys_{call.name}" if call.raw else f"call_{call.name}"
        out += f"\t[SYSCALL_{call.name}] = {{ \"{call.name}\", {len(call.arguments)}, {handler} }},\n"
    return out + "};\n"


def emit_names(errors, calls, interfaces):
    out = banner("names.h - words for numbers: errors, system calls and messages, for traces and shells.\n"
                 " * Each function gives \"?\" for a number that it does not know, never NULL.",
                 "the files of abi/")
    out += "#pragma once\n\n#include <lintel/types.h>\n\n"
    out += name_function("lintel_error_name", "err_t err", "-(int64_t)err", [e.name for e in errors])
    out += name_function("lintel_error_sentence", "err_t err", "-(int64_t)err", [e.sentence for e in errors])
    out += name_function("lintel_syscall_name", "uint64_t number", "number", [c.name for c in calls])
    out += "/* `word0` is the first word of a message: interface << 16 | message number. */\n"
    out += "static inline const char *lintel_message_name(uint64_t word0)\n{\n\tswitch (word0) {\n"
    for interface in sorted(interfaces, key=lambda each: each.number):
        for message in interface.messages:
            out += f"\tcase 0x{interface.number << 16 | message.number:x}:\n"
            out += f"\t\treturn \"{interface.name}.{message.name}\";\n"
    return out + "\t}\n\treturn \"?\";\n}\n"


def name_function(function, parameter, index, names):
    out = f"static inline const char *{function}({parameter})\n{{\n\tstatic const char *const names[] = {{\n"
    out += "".join(f"\t\t\"{name}\",\n" for name in names)
    out += f"\t}};\n\tuint64_t index = (uint64_t)({index});\n\n"
    return out + "\treturn index < ARRAY_LEN(names) ? names[index] : \"?\";\n}\n\n"
