# SPDX-License-Identifier: BSD-2-Clause
"""test_traced.py - crash images of what a whole machine did to its NVDIMM, a small sample; `make crash-trace` does more."""
import os
import re
import subprocess
import sys
import unittest

from testing.boots import build_folder, test_folder


class Traced(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make = os.environ.get("MAKE", "make").split()
        subprocess.run(make + [f"BUILD={build_folder()}", "crash-build", os.path.join(build_folder(), "meter.so")], check=True,
                       stdout=subprocess.DEVNULL)

    def traced(self, *more):
        return subprocess.run([sys.executable, "tests/crash/traced", "--build", build_folder(), "--folder",
                               test_folder("traced"), "--seed", str(os.getpid()), "--steps", "60", *more],
                              capture_output=True, text=True, errors="replace", timeout=600, check=False)

    def test_what_was_promised_is_in_every_image(self):
        result = self.traced()
        self.assertEqual(result.returncode, 0, result.stdout[-300:] + result.stderr[-600:])
        mounted = int(re.search(r"all well: .* (\d+) mounted", result.stdout).group(1))
        self.assertGreater(mounted, 500)

    def test_what_is_not_written_back_or_fenced_is_missed(self):
        for kind in ("write-backs", "fences"):
            with self.subTest(without=kind):
                result = self.traced("--without", kind)
                self.assertEqual(result.returncode, 1, result.stdout[-300:] + result.stderr[-600:])
                self.assertIn("FAILED at event", result.stderr)


if __name__ == "__main__":
    unittest.main()
