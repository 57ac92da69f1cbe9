# SPDX-License-Identifier: BSD-2-Clause
"""parse.py - reads abi/errors.def, abi/syscalls.def and abi/*.proto. Every refusal is an AbiError with file:line."""
import re

from model import (AbiError, Argument, Call, DOOR_SCRATCH_BYTES, Enumeration, ErrorCode, Interface, MEMBER_BYTES,
                   Member, Message, PLAIN_POINTEES, SCALARS, Structure, pad8)

NAME = r"[a-z][a-z0-9_]*"
# Names that the generated functions use for themselves.
CALL_RESERVED = {"rax", "rdi", "rsi", "rdx", "r10", "r8", "r9", "result"}
MESSAGE_RESERVED = {"server_door", "message", "scratch", "lengths", "at", "err", "call", "ops", "base", "limit"}
C_WORDS = {"auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
           "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
           "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"}
OBJECT_TYPES = {"PROCESS", "THREAD", "VMO", "DOOR", "EVENT", "INTERRUPT", "RESOURCE"}
RIGHTS = {"DUPLICATE", "TRANSFER", "READ", "WRITE", "EXECUTE", "WAIT", "SIGNAL", "CALL", "SERVE", "MANAGE"}
SYSCALL_ARGUMENTS_MAX = 6
REQUEST_WORDS = 5  # word 0 is the message number
REPLY_WORDS = 6
HANDLES_MAX = 2


def read_lines(path):
    """(line number, indented?, text, comment) of each line that says something."""
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            if line.lstrip().startswith("#"):
                continue
            mark = -1 if line.lstrip().startswith('"') else line.find("#")
            comment = line[mark + 1:].strip() if mark >= 0 else ""
            body = (line[:mark] if mark >= 0 else line).rstrip()
            if body.strip():
                yield number, body[0] in " \t", body.strip(), comment


def parse_errors(path):
    errors = []
    with open(path, encoding="utf-8") as source:
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), source.read(), flags=re.S)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = re.fullmatch(r'X\((\w+), (-?\d+), "([^"]+)"\)', line.strip())
        if not found:
            raise AbiError(path, number, 'expected X(NAME, value, "sentence")')
        name, value = found.group(1), int(found.group(2))
        if not (re.fullmatch(r"ERR_[A-Z0-9_]+", name) or name == "OK"):
            raise AbiError(path, number, f"{name}: the name must be OK or ERR_...")
        if name in [error.name for error in errors]:
            raise AbiError(path, number, f"{name} is defined twice")
        if value != -len(errors):
            raise AbiError(path, number, f"{name} must have the value {-len(errors)}: values have no gaps")
        errors.append(ErrorCode(name, value, found.group(3)))
    if not errors or errors[0].name != "OK":
        raise AbiError(path, 1, "the first entry must be OK")
    return errors


def split_list(text):
    return [part.strip() for part in text.split(",")] if text.strip() else []


def parse_sentence(text, path, line):
    if len(text) < 3 or not text.endswith('"'):
        raise AbiError(path, line, 'the sentence must be one line in "quotes"')
    return text[1:-1]


def parse_error_names(text, known, path, line):
    names = text.split()
    for name in names:
        if "ERR_" + name not in known:
            raise AbiError(path, line, f"no error ERR_{name} in errors.def")
    return names


def check_name(name, seen, reserved, path, line):
    if not re.fullmatch(NAME, name):
        raise AbiError(path, line, f"'{name}' is not a name (lower case, digits, underscores)")
    if name in reserved or name in C_WORDS:
        raise AbiError(path, line, f"'{name}' is reserved, choose another name")
    if name in seen:
        raise AbiError(path, line, f"'{name}' appears twice")
    seen.add(name)


# --- system calls ---

def parse_call_argument(text, path, line):
    pointer = re.fullmatch(r"(in|out|inout) (\w+) (\w+)\[(\w+)\]", text)
    if pointer:
        direction, target, name, length = pointer.groups()
        return Argument("pointer", name, direction, PLAIN_POINTEES.get(target, "struct " + target), length)
    scalar = re.fullmatch(r"(\w+) (\w+)", text)
    if scalar and scalar.group(1) in SCALARS:
        return Argument(scalar.group(1), scalar.group(2))
    raise AbiError(path, line, f"cannot read the argument '{text}'")


def parse_call_head(text, number, path, line):
    found = re.fullmatch(rf"call ({NAME})\((.*?)\)(?:\s*->\s*(.*))?", text)
    if not found:
        raise AbiError(path, line, "expected: call NAME(ARGUMENTS) [-> TYPE NAME]")
    call = Call(number, found.group(1))
    if found.group(2).strip() == "raw":
        call.raw = True
        return call
    call.arguments = [parse_call_argument(part, path, line) for part in split_list(found.group(2))]
    if len(call.arguments) > SYSCALL_ARGUMENTS_MAX:
        raise AbiError(path, line, f"{call.name} has {len(call.arguments)} arguments, at most "
                                   f"{SYSCALL_ARGUMENTS_MAX} travel in registers")
    if found.group(3):
        call.result = parse_call_argument(found.group(3).strip(), path, line)
        if call.result.kind == "pointer":
            raise AbiError(path, line, "a result is a scalar, not a pointer")
    seen = set()
    for argument in call.arguments + ([call.result] if call.result else []):
        check_name(argument.name, seen, CALL_RESERVED, path, line)
    names = {argument.name for argument in call.arguments if argument.kind in ("size", "u32", "u64")}
    for argument in call.arguments:
        if argument.kind == "pointer" and not (argument.length in names or argument.length.isdigit()):
            raise AbiError(path, line, f"length '{argument.length}' of {argument.name} is no argument and no number")
    return call


def parse_call_handles(call, text, path, line):
    arguments = {argument.name for argument in call.arguments if argument.kind == "handle"}
    for part in split_list(text):
        words = part.split()
        if len(words) not in (2, 3) or words[1] not in OBJECT_TYPES:
            raise AbiError(path, line, f"expected ARGUMENT TYPE RIGHT[+RIGHT] in '{part}'")
        rights = words[2].split("+") if len(words) == 3 else []
        if words[0] not in arguments:
            raise AbiError(path, line, f"'{words[0]}' is not a handle argument of {call.name}")
        for right in rights:
            if right not in RIGHTS:
                raise AbiError(path, line, f"there is no right {right}")
        call.handles.append((words[0], words[1], rights))


def parse_syscalls(path, errors):
    known = {error.name for error in errors}
    calls, head_line = [], 0
    for line, indented, text, _ in read_lines(path):
        if not indented:
            if calls and not calls[-1].text:
                raise AbiError(path, head_line, f"{calls[-1].name} has no sentence")
            call = parse_call_head(text, len(calls), path, line)
            if call.name in [other.name for other in calls]:
                raise AbiError(path, line, f"call {call.name} is defined twice")
            calls.append(call)
            head_line = line
        elif not calls:
            raise AbiError(path, line, "a line before the first call")
        elif text.startswith("handles:"):
            parse_call_handles(calls[-1], text[8:], path, line)
        elif text.startswith("errors:"):
            calls[-1].errors = parse_error_names(text[7:], known, path, line)
        elif text.startswith('"'):
            calls[-1].text = parse_sentence(text, path, line)
        else:
            raise AbiError(path, line, f"cannot read '{text}'")
    if not calls:
        raise AbiError(path, 1, "no call is defined")
    if not calls[-1].text:
        raise AbiError(path, head_line, f"{calls[-1].name} has no sentence")
    return calls


# --- protocols ---

def parse_message_item(text, interface, path, line):
    words = text.split()
    if len(words) == 2 and words[0] in ("u32", "u64", "i32", "handle", "path"):
        return Argument(words[0], words[1])
    if len(words) == 3 and words[0] == "bulk" and words[1] in ("in", "out"):
        return Argument("bulk", words[2], words[1])
    if len(words) == 3 and words[0] == "struct":
        if words[1] not in [structure.name for structure in interface.structs]:
            raise AbiError(path, line, f"struct {words[1]} is not defined above")
        return Argument("struct", words[2], target=words[1])
    raise AbiError(path, line, f"cannot read the argument '{text}'")


def check_message(message, interface, path, line):
    seen = set()
    for item in message.arguments + message.results:
        check_name(item.name, seen, MESSAGE_RESERVED, path, line)
        if item.kind == "bulk":
            seen.add(item.name + "_bytes")
    for items, words, side in ((message.arguments, REQUEST_WORDS, "arguments"),
                               (message.results, REPLY_WORDS, "results")):
        if sum(item.kind in ("u32", "u64", "i32") for item in items) > words:
            raise AbiError(path, line, f"{message.name}: more than {words} scalar {side}")
        if sum(item.kind == "handle" for item in items) > HANDLES_MAX:
            raise AbiError(path, line, f"{message.name}: more than {HANDLES_MAX} handle {side}")
    if sum(item.kind == "bulk" for item in message.arguments) > 1:
        raise AbiError(path, line, f"{message.name}: one bulk argument at most")
    if any(item.kind in ("bulk", "path") for item in message.results):
        raise AbiError(path, line, f"{message.name}: bulk and path are arguments, not results")
    sizes = {structure.name: structure.bytes for structure in interface.structs}
    paths = sum(item.kind == "path" for item in message.arguments)
    need = pad8(4 * paths) + paths * pad8(interface.path_bytes_max() + 1)
    need += sum(sizes[item.target] for item in message.arguments + message.results if item.kind == "struct")
    if need > DOOR_SCRATCH_BYTES:
        raise AbiError(path, line, f"{message.name} needs {need} bytes of scratch, there are {DOOR_SCRATCH_BYTES}")


def parse_message(text, interface, path, line):
    found = re.fullmatch(rf"message ({NAME})\((.*?)\)(?:\s*->\s*\((.*)\))?", text)
    if not found:
        raise AbiError(path, line, "expected: message NAME(ARGUMENTS) [-> (RESULTS)]")
    message = Message(len(interface.messages) + 1, found.group(1))
    if message.name in [other.name for other in interface.messages]:
        raise AbiError(path, line, f"message {message.name} is defined twice")
    message.arguments = [parse_message_item(part, interface, path, line) for part in split_list(found.group(2))]
    message.results = [parse_message_item(part, interface, path, line) for part in split_list(found.group(3) or "")]
    check_message(message, interface, path, line)
    interface.messages.append(message)
    return message


def add_member(structure, text, comment, path, line):
    found = re.fullmatch(r"(\w+) (\w+)(?:\[(\d+)\])?", text)
    if not found or found.group(1) not in MEMBER_BYTES:
        raise AbiError(path, line, f"cannot read the member '{text}'")
    if found.group(2) in [member.name for member in structure.members]:
        raise AbiError(path, line, f"member {found.group(2)} appears twice")
    size = MEMBER_BYTES[found.group(1)]
    count = int(found.group(3) or 0)
    if structure.bytes % size:
        raise AbiError(path, line, f"{found.group(2)} would be misaligned at offset {structure.bytes}: add padding")
    structure.members.append(Member(found.group(1), found.group(2), count, structure.bytes, comment))
    structure.bytes += size * max(count, 1)


def add_entry(enumeration, text, path, line):
    found = re.fullmatch(r"([A-Z][A-Z0-9_]*) (\d+)", text)
    if not found:
        raise AbiError(path, line, f"expected ENTRY value, found '{text}'")
    if found.group(1) in [name for name, _ in enumeration.entries]:
        raise AbiError(path, line, f"entry {found.group(1)} appears twice")
    enumeration.entries.append((found.group(1), int(found.group(2))))


def check_block(block, path, line):
    """A struct, enum or message is complete when the next one begins."""
    if isinstance(block, Structure) and (not block.members or block.bytes % 8):
        raise AbiError(path, line, f"struct {block.name} is {block.bytes} bytes: must be a multiple of 8, not 0")
    if isinstance(block, Enumeration) and not block.entries:
        raise AbiError(path, line, f"enum {block.name} is empty")
    if isinstance(block, Message) and not block.text:
        raise AbiError(path, line, f"{block.name} has no sentence")


def open_block(text, interface, path, line):
    """A line at the left margin: returns what the indented lines below belong to."""
    constant = re.fullmatch(r"const ([A-Z][A-Z0-9_]*) (\d+)", text)
    if constant:
        interface.constants.append((constant.group(1), int(constant.group(2))))
        return None
    named = re.fullmatch(rf"(enum|struct) ({NAME})", text)
    if named:
        if not named.group(2).startswith(interface.name + "_"):
            raise AbiError(path, line, f"{named.group(2)} must begin with {interface.name}_")
        block = Enumeration(named.group(2)) if named.group(1) == "enum" else Structure(named.group(2))
        group = interface.enums if named.group(1) == "enum" else interface.structs
        if block.name in [other.name for other in group]:
            raise AbiError(path, line, f"{named.group(1)} {block.name} is defined twice")
        group.append(block)
        return block
    if text.startswith("message "):
        return parse_message(text, interface, path, line)
    raise AbiError(path, line, f"expected const, enum, struct or message, found '{text}'")


def parse_proto(path, file, errors):
    known = {error.name for error in errors}
    interface, block, block_line = None, None, 0
    for line, indented, text, comment in read_lines(path):
        if interface is None:
            found = re.fullmatch(rf"interface ({NAME}) (\d+)", text)
            if not found or not 0 < int(found.group(2)) < 65536:
                raise AbiError(path, line, "expected: interface NAME NUMBER (1 to 65535)")
            interface = Interface(found.group(1), int(found.group(2)), file)
        elif not indented:
            check_block(block, path, block_line)
            block, block_line = open_block(text, interface, path, line), line
        elif isinstance(block, Structure):
            add_member(block, text, comment, path, line)
        elif isinstance(block, Enumeration):
            add_entry(block, text, path, line)
        elif isinstance(block, Message) and text.startswith("errors:"):
            block.errors = parse_error_names(text[7:], known, path, line)
        elif isinstance(block, Message) and text.startswith('"'):
            block.text = parse_sentence(text, path, line)
        else:
            raise AbiError(path, line, f"cannot read '{text}'")
    if interface is None or not interface.messages:
        raise AbiError(path, 1, "no interface with a message is defined")
    check_block(block, path, block_line)
    return interface


def check_interfaces(interfaces, directory):
    seen = {}
    for interface in interfaces:
        for key in (interface.number, interface.name):
            if key in seen:
                raise AbiError(f"{directory}/{interface.file}", 1, f"interface {key} is also in {seen[key]}")
            seen[key] = interface.file
