# SPDX-License-Identifier: BSD-2-Clause
"""names.py - whose instruction is it: program and label of an address; of assembly also the macro that it comes from.

Programs are linked to the same addresses. Which one a page of code belongs to is told by its bytes."""
import bisect
import collections
import glob
import os
import re
import subprocess

from meter.elf import Elf

KERNEL = "kernel"
KERNEL_BASE = 1 << 63
MACRO = re.compile(r"\s+([A-Z][A-Z0-9_]*)\b(?!:)")
LINE = re.compile(r"(\S+\.[Sh])\s+(\d+)\s+0x([0-9a-f]+)")

Place = collections.namedtuple("Place", "program label offset macro")


def read_macros(kernel):
    """Address -> macro, or '' for a line without, of each line of the kernel's assembly; ascending."""
    listing = subprocess.run(["objdump", "--dwarf=decodedline", kernel], capture_output=True, text=True, errors="replace",
                             check=False).stdout
    sources = {}
    for path in glob.glob("kernel/**/*.h", recursive=True) + glob.glob("kernel/**/*.S", recursive=True):
        with open(path, encoding="utf-8") as file:
            sources[os.path.basename(path)] = file.read().splitlines()
    found = {}
    for name, number, address in LINE.findall(listing):
        lines = sources.get(name, [])
        macro = MACRO.match(lines[int(number) - 1]) if int(number) <= len(lines) else None
        found[int(address, 16)] = macro.group(1) if macro else ""
    return dict(sorted(found.items()))


class Names:
    def __init__(self, kernel, programs, macros=None):
        """`programs`: the likely ones first."""
        self.kernel, self.programs = kernel, programs
        self.macros = read_macros(kernel.path) if macros is None else macros
        self.macro_addresses = list(self.macros)
        self.pages = {}  # (page of the host, page of the address) -> Elf or None

    def learn(self, codes):
        """Which program each page belongs to: the first with all these instructions at their places."""
        pages = collections.defaultdict(set)
        for code in codes:
            if code.address < KERNEL_BASE:
                pages[code.page, code.address >> 12].add(code)
        for page, found in pages.items():
            self.pages[page] = next((program for program in self.programs if all(
                program.bytes_at(code.address, len(code.data)) == code.data for code in found)), None)

    def macro_at(self, address, start):
        """Of the last line of assembly before it, if that lies in the label's own stretch."""
        at = bisect.bisect_right(self.macro_addresses, address) - 1
        return self.macros[self.macro_addresses[at]] if at >= 0 and self.macro_addresses[at] >= start else ""

    def place(self, code):
        if code.address >= KERNEL_BASE:
            label, offset = self.kernel.name_at(code.address)
            return Place(KERNEL, label or "?", offset, self.macro_at(code.address, code.address - offset))
        program = self.pages.get((code.page, code.address >> 12))
        if program is None:
            return Place("?", f"{code.address:#x}", 0, "")
        label, offset = program.name_at(code.address)
        return Place(program.name, label or "?", offset, "")


def names_of(build):
    paths = sorted(glob.glob(os.path.join(build, "bin", "*")), key=lambda path: (os.path.basename(path) != "bench", path))
    programs = [Elf(path, os.path.basename(path)) for path in paths if os.path.isfile(path)]
    return Names(Elf(os.path.join(build, "kernel.elf"), KERNEL), programs)
