# SPDX-License-Identifier: BSD-2-Clause
"""results.py - counts, one line for what failed, one line for each group that passed; and the builds that tests need."""
import os
import subprocess


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.part = ""

    def ok(self, count=1):
        self.passed += count

    def fail(self, name, why):
        self.failed += 1
        print(f"  FAIL  {self.part} {name}: {why}", flush=True)

    def group(self, name, passed, failed, seconds):
        """One line for a group whose single failures were told before."""
        told = f"{passed} passed" + (f", {failed} failed" if failed else "")
        print(f"  {self.part:6} {name}: {told} ({seconds:.1f} s)", flush=True)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def build(results, options, goals, debug=False):
    """Make what a part needs; a failure counts as one failed test, with its first error line."""
    folder = options.debug_build if debug else options.build
    os.makedirs(os.path.join(folder, "test"), exist_ok=True)
    log = os.path.join(folder, "test", f"build-{results.part}.log")
    command = os.environ.get("MAKE", "make").split() + ["BUILD=" + folder, "DEBUG=" + ("1" if debug else "")] + goals
    with open(log, "w+", encoding="utf-8", errors="replace") as file:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                check=False).returncode
        file.seek(0)
        lines = file.read().splitlines()
    if status == 0:
        return True
    errors = [line for line in lines if "rror" in line or "***" in line] or lines or ["no message"]
    results.fail("build", f"{errors[0].strip()} (log: {log})")
    return False
