# SPDX-License-Identifier: BSD-2-Clause
"""meter - looks at rows of the benchmark from outside, with a plugin in QEMU.

  python3 tools/meter budget --build DIR [--rows ID,...]   where each instruction of an operation goes (exact, 1 CPU)
  python3 tools/meter lines --build DIR [--rows ID,...] [--all]   cache lines that 2 CPUs share

Exit status: 0, 1 it could not be measured (one line says why), 2 bad arguments."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench.problem import Problem  # noqa: E402
from meter import measure  # noqa: E402


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="meter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, rows in (("budget", measure.BUDGET_ROWS), ("lines", measure.PAIR_ROWS)):
        one = verbs.add_parser(verb)
        one.add_argument("--build", default="build/release")
        one.add_argument("--rows", default=",".join(rows))
        if verb == "lines":
            one.add_argument("--all", action="store_true", help="show lines of the round's start and end, too")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    rows = [row for row in options.rows.split(",") if row]
    try:
        if options.verb == "budget":
            texts = [budget.text() for budget in measure.budgets(options.build, rows)]
        else:
            texts = [lines.text(options.all) for lines in measure.lines(options.build, rows)]
    except Problem as problem:
        print(f"meter: {problem}", file=sys.stderr)
        return 1
    print("\n\n".join("\n".join(text) for text in texts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
