# SPDX-License-Identifier: BSD-2-Clause
"""elf.py - an ELF64 file of the guest: its functions and labels by address, and its bytes at an address."""
import bisect
import struct

from bench.problem import Problem

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
LOADED = 1      # segment type PT_LOAD
SYMBOLS = 2     # section type SHT_SYMTAB
EXECUTABLE = 4  # section flag SHF_EXECINSTR
KINDS = (0, 2)  # symbol types NOTYPE (labels of assembly) and FUNC


class Elf:
    def __init__(self, path, name):
        self.path, self.name = path, name
        try:
            with open(path, "rb") as file:
                self.data = file.read()
        except OSError as error:
            raise Problem(f"{path}: {error.strerror}") from error
        if self.data[:5] != b"\x7fELF\x02":
            raise Problem(f"{path}: not an ELF64 file")
        header = HEADER.unpack_from(self.data)
        self.segments = [entry for entry in self.table(SEGMENT, header[5], header[10]) if entry[0] == LOADED]
        self.sections = list(self.table(SECTION, header[6], header[12]))
        self.labels = self.read_labels()
        self.addresses = [address for address, _ in self.labels]

    def table(self, entry, offset, count):
        return (entry.unpack_from(self.data, offset + i * entry.size) for i in range(count))

    def string(self, section, offset):
        start = section[4] + offset
        return self.data[start:self.data.index(b"\0", start)].decode("utf-8", "replace")

    def read_labels(self):
        """[(address, name)] of code, ascending; of several names at one address, the first global one."""
        found = {}
        for section in self.sections:
            if section[1] != SYMBOLS:
                continue
            strings = self.sections[section[6]]
            for name, info, _, index, address, _ in self.table(SYMBOL, section[4], section[5] // SYMBOL.size):
                if info & 15 in KINDS and 0 < index < len(self.sections) and self.sections[index][2] & EXECUTABLE:
                    text = self.string(strings, name)
                    if text and not text.startswith("."):
                        found.setdefault(address, []).append((info >> 4 == 0, text))
        return [(address, min(names)[1]) for address, names in sorted(found.items())]

    def name_at(self, address):
        """(nearest label at or before it, offset from there), or (None, 0)."""
        at = bisect.bisect_right(self.addresses, address) - 1
        return (self.labels[at][1], address - self.labels[at][0]) if at >= 0 else (None, 0)

    def bytes_at(self, address, count):
        for _, _, offset, start, _, in_file, _, _ in self.segments:
            if start <= address and address + count <= start + in_file:
                return self.data[offset + address - start:offset + address - start + count]
        return b""
