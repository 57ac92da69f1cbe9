# SPDX-License-Identifier: BSD-2-Clause
"""bench - Lintel and Linux side by side on the same emulated machine.

  python3 tools/bench run --build DIR [--groups ipc,memory,...] [--quick] [--exact-only | --wall-only] [--save FILE]
                                     [--programs DIR]
  python3 tools/bench diff A B        what changed between two saved runs
  python3 tools/bench show FILE       a saved run's tables
  python3 tools/bench check FILE      Linux's figures beside those of an independent harness
  python3 tools/bench figures [--write]   are the docs' figures those of the committed run?

Writes DIR/bench/results.json, results.csv, tables.txt and index.html. Exit status: 0 all is there, 1 something is missing
(each in one line; the rest is reported), 2 bad arguments. An interrupted run goes on where it was."""
import argparse
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench import baseline, figures, plan, store, tables  # noqa: E402
from bench.problem import Problem  # noqa: E402
from bench.session import Session  # noqa: E402


def parse_groups(text):
    groups = [word for word in text.replace(" ", ",").split(",") if word]
    for word in groups:
        if word not in plan.GROUPS:
            raise Problem(f"BENCH={text}: there is no group {word}; groups are {', '.join(plan.GROUPS)}")
    return tuple(group for group in plan.GROUPS if group in groups) or plan.GROUPS


def choose_jobs(options):
    if options.quick:
        return plan.quick_jobs()
    groups = parse_groups(options.groups)
    jobs = [] if options.wall_only else plan.exact_jobs(groups)
    return jobs + ([] if options.exact_only else plan.wall_jobs(groups))


def interrupt(*_):
    raise KeyboardInterrupt


def run(options):
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)  # also where a shell started us with it ignored
    jobs = choose_jobs(options)
    session = Session(options.build, options.save, quick=options.quick, programs=options.programs)
    session.run(jobs)
    return 1 if session.problems else 0


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("run")
    one.add_argument("--build", default="build/release")
    one.add_argument("--groups", default="")
    one.add_argument("--save", default="")
    one.add_argument("--programs", default="build/interop")
    for flag in ("--quick", "--exact-only", "--wall-only"):
        one.add_argument(flag, action="store_true")
    two = verbs.add_parser("diff")
    two.add_argument("old")
    two.add_argument("new")
    for verb in ("show", "check"):
        verbs.add_parser(verb).add_argument("file")
    verbs.add_parser("figures").add_argument("--write", action="store_true")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    try:
        if options.verb == "diff":
            print(tables.diff_text(store.load_run(options.old), store.load_run(options.new)), end="")
            return 0
        if options.verb == "show":
            print(tables.run_text(store.load_run(options.file)), end="")
            return 0
        if options.verb == "check":
            print(baseline.check_text(store.load_run(options.file)), end="")
            return 0
        if options.verb == "figures":
            complaints = figures.check(options.write)
            print("".join(line + "\n" for line in complaints), end="")
            return 1 if complaints else 0
        return run(options)
    except Problem as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
