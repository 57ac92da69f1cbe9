# SPDX-License-Identifier: BSD-2-Clause
"""meter - looks at rows of the benchmark from outside, with a plugin in QEMU.

  python3 tools/meter budget --build DIR [--rows ID,...]   where each instruction of an operation goes (exact, 1 CPU)
  python3 tools/meter lines --build DIR [--rows ID,...] [--all]   cache lines that 2 CPUs share
  python3 tools/meter scaling --build DIR [--rows ID_2,...]   calls by 2 threads on 2 CPUs against those by 1, wall time
  python3 tools/meter stores --build DIR [--script TEXT]   who stores into the NVDIMM

Exit status: 0; 1 it could not be measured (one line says why), or a store went around pmfs; 2 bad arguments."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench.problem import Problem  # noqa: E402
from meter import measure, scaling  # noqa: E402


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="meter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, rows in (("budget", measure.BUDGET_ROWS), ("lines", measure.PAIR_ROWS), ("scaling", measure.PAIR_ROWS)):
        one = verbs.add_parser(verb)
        one.add_argument("--build", default="build/release")
        one.add_argument("--rows", default=",".join(rows))
        if verb == "lines":
            one.add_argument("--all", action="store_true", help="show lines of the round's start and end, too")
    one = verbs.add_parser("stores")
    one.add_argument("--build", default="build/release")
    one.add_argument("--script", default=measure.WORKLOAD)
    return parser.parse_args(arguments)


def show_stores(options):
    found = measure.stores(options.build, options.script)
    print("\n".join(found.text()))
    return 1 if found.around() else 0


def show_scaling(options):
    """Status 1 where this machine was never quiet."""
    print("calls by 2 threads on 2 CPUs against those by 1, wall time:", flush=True)
    found = []
    for row in filter(None, options.rows.split(",")):
        found.append(scaling.measure(options.build, measure.folder_of(options.build), row))
        print(found[-1].text(), flush=True)
    return 0 if all(one.quiet() for one in found) else 1


def show_rows(options):
    rows = [row for row in options.rows.split(",") if row]
    if options.verb == "budget":
        texts = [budget.text() for budget in measure.budgets(options.build, rows)]
    else:
        texts = [lines.text(options.all) for lines in measure.lines(options.build, rows)]
    print("\n\n".join("\n".join(text) for text in texts))
    return 0


def main(arguments):
    options = parse_arguments(arguments)
    try:
        return {"stores": show_stores, "scaling": show_scaling}.get(options.verb, show_rows)(options)
    except Problem as problem:
        print(f"meter: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
