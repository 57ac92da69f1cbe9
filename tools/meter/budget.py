# SPDX-License-Identifier: BSD-2-Clause
"""budget.py - where the instructions of an operation go: a row's stretch, by part."""
import collections
import re

from meter import parts

LEAST = 0.05  # of an instruction: below, it is the measuring itself
LOCKED = re.compile(rb"(?:[\x26\x2e\x36\x3e\x64-\x67\xf2\xf3])*\xf0")
EXCHANGE = re.compile(rb"(?:[\x26\x2e\x36\x3e\x64-\x67\xf2\xf3])*[\x40-\x4f]?[\x86\x87][\x00-\xbf]")
LOAD_ROOT = re.compile(rb"[\x40-\x4f]?\x0f\x22[\xd8-\xdf]")
FLUSH_PAGE = re.compile(rb"(?:[\x64-\x67])*[\x40-\x4f]?\x0f\x01[\x38-\x3f\x78-\x7f\xb8-\xbf]")


def is_locked(data):
    """A lock prefix, or xchg with memory, which is locked by itself."""
    return bool(LOCKED.match(data) or EXCHANGE.match(data))


class Budget:
    def __init__(self, row, stretch, names):
        self.row, self.operations = row["row"], row["operations"]
        self.what, self.value = row.get("what", ""), row["value"]
        self.parts = collections.Counter()
        self.labels = collections.defaultdict(collections.Counter)
        self.locked = self.roots = self.flushes = 0
        names.learn(stretch.codes())
        for count, code in stretch.executed:
            place = names.place(code)
            part = parts.part_of(place)
            self.parts[part] += count
            self.labels[part][place.label if place.program in ("kernel", "bench") else f"{place.program}:{place.label}"] += count
            self.locked += count * is_locked(code.data)
            self.roots += count * bool(LOAD_ROOT.match(code.data))
            self.flushes += count * bool(FLUSH_PAGE.match(code.data))

    def total(self):
        return sum(self.parts.values()) / self.operations

    def rows(self):
        """(part, instructions per operation, labels) in the order of the round trip, without what is next to nothing."""
        for part in sorted(self.parts, key=lambda part: (parts.rank(part), -self.parts[part])):
            count = self.parts[part] / self.operations
            if count >= LEAST:
                yield part, count, [label for label, _ in self.labels[part].most_common()]

    def as_json(self):
        """What a saved run keeps."""
        return {"row": self.row, "what": self.what, "value": self.value, "total": round(self.total(), 3),
                "parts": [[part, round(count, 3)] for part, count, _ in self.rows()],
                "locked": round(self.locked / self.operations, 3), "root_loads": round(self.roots / self.operations, 3),
                "page_flushes": round(self.flushes / self.operations, 3)}

    def text(self, labels=True):
        yield f"{self.row}: where {self.total():,.1f} instructions go ({self.what}; {self.operations:,} operations)"
        for part, count, names in self.rows():
            yield f"  {part:34} {count:10,.1f}  {', '.join(names[:6]) if labels else ''}".rstrip()
        yield f"  {'the empty loop, not in the row':34} {self.value - self.total():10,.1f}"
        yield f"  {'the row':34} {self.value:10,.1f}"
        yield (f"  of these: {self.locked / self.operations:.1f} locked instructions, {self.roots / self.operations:.1f} loads "
               f"of a root, {self.flushes / self.operations:.1f} flushes of a page")
