# SPDX-License-Identifier: BSD-2-Clause
"""rules.py - the tables that lint enforces: rooms, who may include whom, licences, limits (docs/design.md, section 2)."""

# Folder -> folders whose headers its files may include, besides its own. The longest matching folder counts.
# What is not listed here may include nothing but itself and abi. "*": anything.
MAY_INCLUDE = {
    "abi": (),
    "boot": (),
    "mm": ("boot/boot_info.h",),
    "kernel": ("mm", "boot/boot_info.h", "boot/layout.h"),
    "libc": (),
    "servers/kit": ("libc",),
    "servers": ("servers/kit", "libc"),
    "drivers": ("drivers/kit", "servers/kit", "libc"),
    "tests": ("*",),
    "tools": ("*",),
}
# boot/entry.c is where boot hands over: it may name the kernel's entry, and nothing else of the kernel.
EXCEPTIONS = {("boot/entry.c", "kernel/main.h")}
# Each folder below these is a room of its own: no header of another one.
ROOMS_WITHIN = ("servers", "servers/fs", "drivers")

# The only headers without a room that freestanding code may include.
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h", "stdatomic.h", "stdalign.h", "cpuid.h",
                "efi.h", "efilib.h"}
FREESTANDING_ROOMS = ("abi", "boot", "kernel", "mm")

# Folder -> licence of its files.
LICENCES = {"kernel": "GPL-2.0-only", "mm": "GPL-2.0-only", "boot": "GPL-2.0-only", "linker.ld": "GPL-2.0-only"}
LICENCE_ELSEWHERE = "BSD-2-Clause"
NEEDS_SPDX = (".c", ".h", ".S", ".py", ".sh", ".mk", ".ld", ".def", ".proto", ".cfg", "Makefile")

LINES_MAX = 700
COLUMNS_MAX = 120  # with TABs four wide; 100 is the aim
TEXT_SUFFIXES = NEEDS_SPDX + (".md", ".txt")
GENERATED = ("docs/syscalls.md", "docs/protocols.md", "abi/golden/", "LICENSES/", "tests/unit/data/")
UNFINISHED = r"\b(TODO|FIXME|XXX|HACK)\b"

# docs/reading-order.txt: which files it must name.
READING_ORDER = "docs/reading-order.txt"
READ_SUFFIXES = (".c", ".h", ".S", ".ld", ".def", ".proto", ".pml", ".cfg", ".manifest")
READ_NOT = ("docs/", "tests/unit/data/")
