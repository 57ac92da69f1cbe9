# SPDX-License-Identifier: BSD-2-Clause
"""stores.py - who stores into the NVDIMM during a run. Allowed are pmfs's one interface (servers/fs/pmfs/pmem.h: every
instruction of pmem_x86.c) and code of programs that are no servers: what they can store to is a file of theirs that they
have mapped. Everything else went around: other code of pmfs, the kernel, another server."""
import collections
import os
import subprocess

from bench.problem import Problem

INTERFACE = "obj/user/servers/fs/pmfs/server/pmem_x86.c.o"
SERVERS = ("init", "console", "bootfs", "memfs", "pmfs")
OURS, CLIENT, AROUND = "pmfs, through pmem.h", "a client's mapping", "AROUND"


def interface_functions(build):
    """The functions of pmem_x86.c."""
    path = os.path.join(build, INTERFACE)
    result = subprocess.run(["nm", path], capture_output=True, text=True, check=False)
    found = {words[-1] for words in map(str.split, result.stdout.splitlines()) if len(words) == 3 and words[1] in "tT"}
    if not found:
        raise Problem(f"{path}: no functions there; is it built?")
    return found


def judge(place, interface):
    if place.program == "pmfs" and place.label.split(".")[0] in interface:
        return OURS
    if place.program in SERVERS or place.program in ("kernel", "?"):
        return AROUND
    return CLIENT


class Stores:
    def __init__(self, stretch, names, interface):
        names.learn(stretch.codes())
        self.rows = []  # (kind, place, count, low, high)
        for count, low, high, code in stretch.stores:
            place = names.place(code)
            self.rows.append((judge(place, interface), place, count, low, high))
        if not any(kind == OURS for kind, *_ in self.rows):
            raise Problem("no store of pmfs was seen: the NVDIMM is not where it is looked for")

    def around(self):
        return [row for row in self.rows if row[0] == AROUND]

    def text(self):
        sums = collections.Counter()
        for kind, _, count, _, _ in self.rows:
            sums[kind] += count
        yield "stores into the NVDIMM: " + ", ".join(f"{sums[kind]:,} {kind}" for kind in (OURS, CLIENT, AROUND) if sums[kind])
        for kind, place, count, low, high in sorted(self.rows, key=lambda row: (row[0], -row[2])):
            yield f"  {kind:22} {count:12,}  {low:#11x}..{high:#x}  {place.program}: {place.label}+{place.offset:#x}"
        yield "nothing went around the interface" if not self.around() else \
            f"{len(self.around())} instructions went around the interface"
