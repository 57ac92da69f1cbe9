# SPDX-License-Identifier: BSD-2-Clause
"""interop - runs SQLite's speedtest1 and fuzzcheck and PostMark on pmfs, shows what they say, and judges it.

  python3 tools/interop --build DIR --programs DIR [--only NAME,...]

Each has a machine and a file system of its own. Exit status: 0 all passed, 1 not, 2 bad arguments."""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from interop.programs import Wrong, whole  # noqa: E402
from interop.run import run  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="interop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--programs", default="build/interop")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    programs = whole(options.programs)
    wanted = [word for word in options.only.split(",") if word]
    names = {program.name for program in programs}
    if set(wanted) - names:
        parser.error(f"there is no program {', '.join(sorted(set(wanted) - names))}; there are {', '.join(sorted(names))}")
    os.environ["LINTEL_BUILD"] = options.build
    return [program for program in programs if not wanted or program.name in wanted]


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupt)
    lines, good = [], True
    for program in parse_arguments():
        print(f"interop: {program.name}", flush=True)
        started = time.monotonic()
        try:
            verdict = "passed  " + run("interop-" + program.name, program, show=True)
        except (Wrong, OSError, subprocess.SubprocessError) as error:
            verdict = f"FAILED  {error}"
            good = False
        lines.append(f"  {program.name:11} {verdict} ({time.monotonic() - started:.0f} s in all)")
        print(lines[-1], flush=True)
    print("interop: programs from Debian's source packages, unchanged, on pmfs\n" + "\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interop: interrupted")
        sys.exit(1)
