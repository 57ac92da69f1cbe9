# SPDX-License-Identifier: BSD-2-Clause
"""scaling.py - how many more calls two CPUs make than one, by wall time. Both sides are measured in one boot, in turn, round
by round (tests/bench/lintel/scaling_rows.c). Whatever else runs on this machine, or beside it where it is a virtual one,
falsifies it. So each boot also measures a loop that shares nothing, and counts only where two CPUs ran that almost twice
as often as one, and where nobody else had work to do; else it is made again."""
import os
import resource
import time

from bench import guests
from bench.parse import parse_row
from bench.problem import Problem

TRIES = 8
QUIET_SECONDS = 20  # how long a quiet second is waited for before each
LOOP_MIN = 1.9      # what two CPUs must give the loop
OTHERS_MAX = 0.01  # of the machine's time, for everything but QEMU
SECONDS = 120


def machine_ticks():
    """(busy, all) of all CPUs since power-on, in clock ticks."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def children_ticks():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * os.sysconf("SC_CLK_TCK")


def others_share(before, after):
    """Of the machine's time between two of (busy, all, children's): what went to others."""
    busy, total, own = (late - early for early, late in zip(before, after))
    return max(0.0, (busy - own) / total) if total else 0.0


def wait_for_quiet():
    """Until the machine had nothing to do for a second; at most QUIET_SECONDS."""
    for _ in range(QUIET_SECONDS):
        before = (*machine_ticks(), 0)
        time.sleep(1)
        if others_share(before, (*machine_ticks(), 0)) <= 2 * OTHERS_MAX:
            return


class Scaling:
    def __init__(self, rows, others):
        loop_one, loop_two, one, two = rows
        self.what = one["what"].rsplit(",", 1)[0]
        self.loop = loop_one["value"] / loop_two["value"]
        self.ratio = one["value"] / two["value"]
        self.others = others

    def quiet(self):
        return self.others <= OTHERS_MAX and self.loop >= LOOP_MIN

    def text(self):
        note = "" if self.quiet() else f"; no good: others had {self.others * 100:.0f} % of this machine"
        return f"  {self.what:32} x{self.ratio:.2f}  (a loop without calls x{self.loop:.2f}{note})"


def measure_once(build, folder, row):
    """`row` is NAME_2."""
    found = []

    def on_line(line):
        parsed = parse_row(line)
        if parsed is not None:
            found.append(parsed)
        return False

    os.makedirs(folder, exist_ok=True)
    command = guests.lintel_command(build, folder, f"bench scaling --json --rows scale_loop_1,scale_loop_2,{row[:-1]}1,{row}", False, 2)
    before = (*machine_ticks(), children_ticks())
    try:
        guests.run_guest(command, os.path.join(folder, "scaling.log"), SECONDS, on_line)
    finally:
        guests.remove_pmem(folder)
    after = (*machine_ticks(), children_ticks())
    if len(found) != 4 or any("error" in one for one in found):
        raise Problem(f"{row} did not run (log: {os.path.join(folder, 'scaling.log')})")
    return Scaling(found, others_share(before, after))


def measure(build, folder, row):
    """The first quiet one of TRIES boots, else that which gave the loop most."""
    best = None
    for _ in range(TRIES):
        wait_for_quiet()
        one = measure_once(build, folder, row)
        best = one if best is None or one.quiet() or one.loop > best.loop else best
        if best.quiet():
            break
    return best
