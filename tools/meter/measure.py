# SPDX-License-Identifier: BSD-2-Clause
"""measure.py - rows of the benchmark under the plugin: their budgets, the lines that they share."""
import os

from bench import guests
from bench.problem import Problem
from meter import boot
from meter.budget import Budget
from meter.lines import Lines
from meter.names import names_of
from meter.stores import Stores, interface_functions

BUDGET_ROWS = ("door_6", "door_win4k")
CPUS = 2
# Rows and the same work by two CPUs at once; those are measured together with the row of one thread.
PAIRS = {"null_call": "scale_null_call_2", "door_0": "scale_door_0_2", "door_6": "scale_door_6_2",
         "door_win4k": "scale_door_win4k_2", "door_nested": "scale_door_nested_2"}
PAIR_ROWS = tuple(PAIRS.values())
WORKLOAD = "import && verify && bench files --quick --dir /pmem && umount /pmem"
OVER = "the workload is over"


def folder_of(build):
    return os.path.join(build, "meter")


def budgets(build, rows):
    seen = boot.boot_bench(build, folder_of(build), "budget", "ipc memory files programs --rows " + ",".join(rows), True, 1)
    names = names_of(build)
    return [Budget(row, stretch, names) for row, stretch in seen]


def with_first_halves(rows):
    """A row NAME_2 is measured with NAME_1."""
    return [half for row in rows for half in ([row[:-1] + "1"] if row in PAIR_ROWS else []) + [row]]


def lines(build, rows):
    words = "ipc memory scaling --quick --rows " + ",".join(with_first_halves(rows))
    names = names_of(build)
    return [Lines(row, stretch, names) for row, stretch in boot.boot_bench(build, folder_of(build), "lines", words, False, CPUS)]


def costs(build, rows):
    """Row -> what an operation costs with 2 CPUs: TLB flushes, IPIs, stores that take a line from the other CPU. Where there
    is such a row, both CPUs are at it."""
    found = {one.row: one.costs | {"shared_stores": round(one.total(), 3)}
             for one in lines(build, [PAIRS.get(row, row) for row in rows])}
    return {row: found[PAIRS.get(row, row)] for row in rows if PAIRS.get(row, row) in found}


def stores(build, script):
    """Who stores into the NVDIMM while `script` runs. QEMU makes the NVDIMM's memory first, so its list of RAM begins there."""
    said = []

    def on_line(line):
        said.append(line.strip())
        return False

    found = boot.boot(build, folder_of(build), "stores", f"{script} && echo {OVER}", False, CPUS,
                      f",base=0,bytes={guests.PMEM_BYTES}", on_line)
    if OVER not in said or len(found) != 1:
        raise Problem(f"the workload did not come to its end (log: {os.path.join(folder_of(build), 'stores.log')})")
    return Stores(found[0], names_of(build), interface_functions(build))
