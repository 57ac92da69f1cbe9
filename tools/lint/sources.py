# SPDX-License-Identifier: BSD-2-Clause
"""sources.py - checks on the text of the project's files: includes, SPDX lines, length, white space, machine paths."""
import os
import re
import subprocess

import rules

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
MACHINE_PATH = re.compile(r"/(home|root|Users|work)/[\w.-]+")


def project_files():
    """Tracked and new files, without what is ignored."""
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=True)
    names = listing.stdout.decode("utf-8").split("\0")
    return sorted({name for name in names if name and os.path.isfile(name)})


def is_generated(path):
    return path.startswith(rules.GENERATED)


def read_lines(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().split("\n")


def room_of(path, rooms):
    """The longest entry of `rooms` that holds the file, or ''."""
    holding = [room for room in rooms if path == room or path.startswith(room + "/")]
    return max(holding, key=len, default="")


def resolve(path, mark, name):
    """The file that an include means, or '' if it is a system header or a generated one."""
    if mark == '"':
        places = [os.path.dirname(path), "", "servers", "drivers"]
    else:
        places = ["abi/include", "libc/include"]
    for place in places:
        candidate = os.path.normpath(os.path.join(place, name))
        if os.path.isfile(candidate):
            return candidate
    return ""


def inner_room(path):
    """The room of its own in which a server's or driver's file lies, or ''."""
    found = ""
    for parent in rules.ROOMS_WITHIN:
        if path.startswith(parent + "/"):
            rest = path[len(parent) + 1:].split("/")
            if len(rest) > 1:
                found = f"{parent}/{rest[0]}"
    return found


def include_allowed(path, target):
    if (path, target) in rules.EXCEPTIONS:
        return True
    room = room_of(path, rules.MAY_INCLUDE)
    allowed = rules.MAY_INCLUDE.get(room, ())
    if "*" in allowed or room_of(target, ("abi",) + tuple(allowed)):
        return True
    own = inner_room(path)
    return target.startswith((own or room.split("/")[0]) + "/")


def check_includes(path, lines):
    freestanding = room_of(path, rules.FREESTANDING_ROOMS)
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        mark, name = match.groups()
        target = resolve(path, mark, name)
        if target and not include_allowed(path, target):
            yield f"{path}:{number}: {room_of(path, rules.MAY_INCLUDE) or path} may not include {target}"
        elif not target and mark == "<" and freestanding and not name.startswith("lintel/") \
                and name not in rules.FREESTANDING:
            yield f"{path}:{number}: {freestanding} is freestanding: no <{name}>"


def check_licence(path, lines):
    if not path.endswith(rules.NEEDS_SPDX) and not (lines and lines[0].startswith("#!")):
        return
    head = "\n".join(lines[:3])
    want = rules.LICENCES.get(room_of(path, rules.LICENCES), rules.LICENCE_ELSEWHERE)
    found = re.search(r"SPDX-License-Identifier: ([\w.-]+)", head)
    if not found:
        yield f"{path}:1: the SPDX line is missing (here: {want})"
    elif found.group(1) != want:
        yield f"{path}:1: licence {found.group(1)}, in this folder it is {want}"


def check_text(path, lines):
    c_file = path.endswith((".c", ".h"))
    if path.endswith((".c", ".h", ".S", ".py")) and len(lines) - 1 > rules.LINES_MAX:
        yield f"{path}:{rules.LINES_MAX}: {len(lines) - 1} lines, at most {rules.LINES_MAX}: is it still one noun?"
    before = ""
    for number, line in enumerate(lines, 1):
        if line.endswith((" ", "\t", "\r")):
            yield f"{path}:{number}: white space at the end of the line"
        if c_file and len(line.expandtabs(4)) > rules.COLUMNS_MAX:
            yield f"{path}:{number}: {len(line.expandtabs(4))} columns, at most {rules.COLUMNS_MAX}"
        if c_file and line.startswith("    ") and before.endswith((";", "{", "}")):
            yield f"{path}:{number}: indented with spaces"
        if re.search(rules.UNFINISHED, line):
            yield f"{path}:{number}: speaks of unfinished work"
        if MACHINE_PATH.search(line):
            yield f"{path}:{number}: a path of one machine: {MACHINE_PATH.search(line).group()}"
        before = line
    if lines and lines[-1] != "":
        yield f"{path}:{len(lines)}: no newline at the end of the file"


def check_file(path):
    if is_generated(path) or path.startswith("tools/lint/"):
        return
    if not path.endswith(rules.TEXT_SUFFIXES) and "." in os.path.basename(path):
        return
    lines = read_lines(path)
    yield from check_licence(path, lines)
    yield from check_text(path, lines)
    if path.endswith((".c", ".h", ".S")):
        yield from check_includes(path, lines)


def check_reading_order(files):
    """docs/reading-order.txt names every source file once, and no other."""
    listed = [line for line in read_lines(rules.READING_ORDER) if line and line[0] != "#" and " " not in line]
    wanted = {path for path in files if path.endswith(rules.READ_SUFFIXES) and not path.startswith(rules.READ_NOT)}
    for path in sorted(wanted - set(listed)):
        yield f"{rules.READING_ORDER}:1: {path} is missing"
    for path in sorted(set(listed) - wanted):
        yield f"{rules.READING_ORDER}:{read_lines(rules.READING_ORDER).index(path) + 1}: there is no {path}"
    for path in sorted({path for path in listed if listed.count(path) > 1}):
        yield f"{rules.READING_ORDER}:1: {path} stands there twice"


def check_all():
    files = project_files()
    for path in files:
        yield from check_file(path)
    yield from check_reading_order(files)
