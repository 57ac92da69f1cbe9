# SPDX-License-Identifier: BSD-2-Clause
"""boot.py - a boot of Lintel with the plugin in QEMU."""
import os

from bench import guests
from bench.parse import parse_row
from bench.problem import Problem
from meter import output

SECONDS = 900


def plugin_path(build):
    path = os.path.abspath(os.path.join(build, "meter.so"))
    if not os.path.exists(path):
        raise Problem(f"{path} is missing: make {os.path.join(build, 'meter.so')}")
    return path


def boot(build, folder, mode, script, exact, cpus, options="", on_line=lambda line: False):
    """What the plugin saw: [Stretch]. Raises Problem: QEMU takes no plugins, or the guest did not come to its end."""
    os.makedirs(folder, exist_ok=True)
    seen = os.path.join(folder, mode + ".txt")
    if "," in seen:
        raise Problem(f"{seen}: QEMU cannot take a path with a comma in it")
    if os.path.exists(seen):
        os.unlink(seen)
    command = guests.lintel_command(build, folder, script, exact, cpus)
    if "kvm" in command:
        at = command.index("kvm")
        command[at] = "tcg,thread=multi"
        command[command.index("-cpu") + 1] = "max"
    command += ["-plugin", f"{plugin_path(build)},mode={mode},out={seen}{options}"]
    try:
        guests.run_guest(command, os.path.join(folder, mode + ".log"), SECONDS, on_line)
    finally:
        guests.remove_pmem(folder)
    if not os.path.exists(seen):
        raise Problem("this QEMU does not take plugins (interface version 1: QEMU 4.2 to 8.2)")
    return output.read(seen)


def boot_bench(build, folder, mode, words, exact, cpus):
    """[(row, Stretch)] of `bench WORDS`: a row's own JSON, and what was seen of it."""
    rows = []

    def on_line(line):
        row = parse_row(line)
        if row is not None:
            rows.append(row)
        return False

    stretches = boot(build, folder, mode, f"bench {words} --json", exact, cpus, on_line=on_line)
    failed = [row for row in rows if "error" in row]
    if failed:
        raise Problem(f"{failed[0]['row']} did not run: {failed[0]['error']}")
    shown = [row for row in rows if row.get("operations")]
    if not shown:
        raise Problem(f"bench {words}: there is no such row, or none with a stretch")
    if len(shown) != len(stretches):
        raise Problem(f"{len(shown)} rows were measured, the plugin saw {len(stretches)} of them")
    return list(zip(shown, stretches))
