# SPDX-License-Identifier: BSD-2-Clause
"""guests.py - runs the programs of tests/guest inside QEMU, all of them on each of the machines below.

A guest test program prints, for each of its tests, a line `ok NAME` or `not ok NAME: why`, and ends with status 0 if
all are well. The shell's `run -c` adds such a line of its own: is anything missing afterwards (pages, handles, ...)?
Programs named fuzz_* take long and run on FUZZ_MACHINES alone; `make fuzz` runs them for longer."""
import glob
import os
import re
import time

from testing.boots import boot
from testing.results import build
from vm.options import encode

RELEASE, DEBUG = False, True
MACHINES = (
    ("pvh-1-cpu", RELEASE, {"CPUS": "1"}),
    ("pvh-2-cpus", RELEASE, {"CPUS": "2"}),
    ("pvh-4-cpus", RELEASE, {"CPUS": "4"}),
    ("pvh-qemu64", RELEASE, {"CPUS": "2", "CPU": "qemu64"}),
    ("grub-bios", RELEASE, {"CPUS": "2", "BOOT": "grub"}),
    ("grub-uefi", RELEASE, {"CPUS": "2", "BOOT": "grub-uefi"}),
    ("uefi", RELEASE, {"CPUS": "2", "BOOT": "uefi"}),
    ("debug-1-cpu", DEBUG, {"CPUS": "1"}),
    ("debug-2-cpus", DEBUG, {"CPUS": "2"}),
    ("debug-4-cpus", DEBUG, {"CPUS": "4"}),
)
FUZZ_MACHINES = (
    ("fuzz-2-cpus", RELEASE, {"CPUS": "2"}),
    ("fuzz-debug-4-cpus", DEBUG, {"CPUS": "4"}),
)
SCRIPT_BYTES_MAX = 900
COMMAND = "run -c -r /boot/bin/"  # checked for leaks, with the shell's resources
GUEST_SECONDS = 400  # hang detectors, not targets
FUZZ_SECONDS = 1200


def guest_programs():
    """Names as programs.mk makes them: each file, and each folder with sources."""
    files = [os.path.basename(path)[:-2] for path in glob.glob("tests/guest/*.c")]
    folders = [os.path.basename(os.path.dirname(path)) for path in glob.glob("tests/guest/*/*.c")]
    return sorted(set(files + folders))


def batches(programs):
    """Scripts that run all programs, each short enough for the kernel's command line."""
    script = ""
    for program in programs:
        longer = f"{script}; {COMMAND}{program}" if script else f"{COMMAND}{program}"
        if len(encode(longer)) > SCRIPT_BYTES_MAX:
            yield script
            longer = f"{COMMAND}{program}"
        script = longer
    yield script


def run_machine(options, results, machine, programs, seconds):
    name, debug, variables = machine
    started = time.monotonic()
    passed = failed = 0
    for number, script in enumerate(batches(programs), 1):
        result = boot(f"guest-{name}-{number}", script, build=options.debug_build if debug else options.build,
                      seconds=seconds, **variables)
        good = len(re.findall(r"^ok \S+", result.output, re.M))
        broken = re.findall(r"^not ok (\S+?):? (.*)$", result.output, re.M)
        for test, why in broken:
            results.fail(f"{name}/{test}", f"{why.strip()} (log: {result.log})")
        if result.status is None or result.panic() or (result.status != 0 and not broken) or good + len(broken) == 0:
            results.fail(name, result.why())
            failed += 1
        passed += good
        failed += len(broken)
    results.ok(passed)
    results.group(name, passed, failed, time.monotonic() - started)


def run_guests(options, results):
    programs = guest_programs()
    if not programs:
        results.fail("programs", "there is none in tests/guest")
        return
    ready = {RELEASE: build(results, options, ["all", "iso", "esp"]), DEBUG: build(results, options, ["all"], debug=True)}
    fuzzers = [program for program in programs if program.startswith("fuzz_")]
    tests = [program for program in programs if program not in fuzzers]
    for machines, chosen, seconds in ((MACHINES, tests, GUEST_SECONDS), (FUZZ_MACHINES, fuzzers, FUZZ_SECONDS)):
        for machine in machines:
            if ready[machine[1]] and chosen:
                run_machine(options, results, machine, chosen, seconds)
