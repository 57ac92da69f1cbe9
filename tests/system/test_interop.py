# SPDX-License-Identifier: BSD-2-Clause
"""test_interop.py - a sample of what `make interop` runs whole: programs that nobody wrote for Lintel. Their sources come
from Debian's archive; where that cannot be reached, this is a failure, and says so."""
import os
import subprocess
import unittest

from interop import programs
from interop.run import run
from testing.boots import build_folder


class Interop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build = build_folder()
        make = os.environ.get("MAKE", "make").split()
        result = subprocess.run(make + [f"-j{os.cpu_count()}", "interop-programs", "BUILD=" + build], capture_output=True, text=True, check=False)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if "***" not in line] or ["no message"]
            raise AssertionError(lines[-1])
        folder = "build/interop" if build.startswith("build/") else os.path.join(build, "interop")
        cls.programs = {program.name: program for program in programs.sample(folder)}

    def passes(self, name):
        try:
            run("interop-sample-" + name, self.programs[name])
        except programs.Wrong as error:
            self.fail(str(error))

    def test_postmark(self):
        self.passes("postmark")

    def test_speedtest1(self):
        self.passes("speedtest1")

    def test_fuzzcheck(self):
        self.passes("fuzzcheck")


if __name__ == "__main__":
    unittest.main()
