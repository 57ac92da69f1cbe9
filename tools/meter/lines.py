# SPDX-License-Identifier: BSD-2-Clause
"""lines.py - cache lines that one CPU stores to and another one uses, in a row's stretch.

Two figures, per operation, of all CPUs. The stores to such lines: who spins adds to them without end. Those of them that
take the line from another CPU, which is what costs: how many depends on how the CPUs' work happens to interleave. Where the
first is 0 there is nothing to interleave. The benchmark's own start and end of a round, and a clock interrupt now and then,
share lines as well: a handful in thousands of operations."""
import collections

LEAST = 0.005  # per operation: below, it has nothing to do with the operation
LINES_SHOWN, NAMES_SHOWN = 12, 6


class Lines:
    def __init__(self, row, stretch, names):
        self.row, self.operations, self.what = row["row"], row["operations"], row.get("what", "")
        self.costs = {key: row[key] for key in ("tlb_flushes", "ipis") if key in row}
        self.stretch, self.names = stretch, names
        names.learn(stretch.codes())

    def taken(self, accesses):
        return sum(access.taken for access in accesses if access.store) / self.operations

    def stores(self):
        return sum(access.count for accesses in self.stretch.lines.values() for access in accesses
                   if access.store) / self.operations

    def total(self):
        """Those that take a line."""
        return sum(self.taken(accesses) for accesses in self.stretch.lines.values())

    def sorted(self):
        """[(address, accesses)], the most contended first."""
        return sorted(self.stretch.lines.items(), key=lambda one: (-self.taken(one[1]), one[0]))

    def by_name(self, accesses):
        """[(text of a function, loads, stores, stores that took the line)] per operation, the last ones' worst first."""
        sums = collections.defaultdict(lambda: [0, 0, 0])
        for access in accesses:
            place = self.names.place(access.code)
            one = sums[f"{place.program}: {place.label}, CPU {access.cpu}"]
            one[access.store] += access.count / self.operations
            one[2] += access.taken / self.operations * access.store
        return sorted(((name, *counts) for name, counts in sums.items()), key=lambda one: (-one[3], -one[2], -one[1], one[0]))

    def text(self, every=False):
        yield (f"{self.row}: {self.stores():.3f} stores per operation to lines that another CPU uses, {self.total():.3f} take "
               f"the line from it ({self.what}; {self.operations:,} operations)")
        lines = self.sorted()
        shown = lines if every else [line for line in lines if self.taken(line[1]) >= LEAST][:LINES_SHOWN]
        if shown:
            yield f"  {'':60} {'loads':>9} {'stores':>9} {'that take':>9}"
        for address, accesses in shown:
            names = self.by_name(accesses)
            yield f"  line {address:#x}"
            for name, loads, stores, taken in names if every else names[:NAMES_SHOWN]:
                yield f"    {name[:58]:58} {loads:9.3f} {stores:9.3f} {taken:9.3f}"
        rest = lines[len(shown):]
        if rest:
            yield f"  and {len(rest)} lines with {sum(self.taken(accesses) for _, accesses in rest):.3f} such stores in all"
