# SPDX-License-Identifier: BSD-2-Clause
"""test_cold.py - a few cold kills; `make cold-kills` does 200."""
import os
import subprocess
import sys
import unittest

from testing.boots import build_folder, test_folder


class Cold(unittest.TestCase):
    def test_what_was_promised_is_there(self):
        make = os.environ.get("MAKE", "make").split()
        subprocess.run(make + [f"BUILD={build_folder()}", "pmfs-tools"], check=True, stdout=subprocess.DEVNULL)
        result = subprocess.run([sys.executable, "tests/cold/kill", "--build", build_folder(), "--times", "5", "--seed",
                                 str(os.getpid()), "--folder", test_folder("cold")], capture_output=True, text=True,
                                timeout=300, check=False)
        self.assertEqual(result.returncode, 0, result.stdout.strip().splitlines()[-1:] or result.stderr)


if __name__ == "__main__":
    unittest.main()
