# SPDX-License-Identifier: BSD-2-Clause
"""measure.py - rows of the benchmark under the plugin: their budgets, the lines that they share."""
import os

from meter import boot
from meter.budget import Budget
from meter.lines import Lines
from meter.names import names_of

BUDGET_ROWS = ("door_6", "door_win4k")
CPUS = 2
# Two CPUs at the same work at once; each is measured together with the row of one thread.
PAIR_ROWS = ("scale_null_call_2", "scale_door_0_2", "scale_door_6_2", "scale_door_win4k_2", "scale_door_nested_2")


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
