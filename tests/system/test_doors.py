# SPDX-License-Identifier: BSD-2-Clause
"""test_doors.py - a slice of `make door-kills`: clients and servers killed at every step of door calls, on many CPUs and
with counted instructions. The seed is in the log; with it and the same kills a run can be made again."""
import os
import re
import time
import unittest

from testing.boots import boot

STEPS = 42  # of tests/guest/deaths/steps.c


class Doors(unittest.TestCase):
    def killed(self, name, kills, **variables):
        seed = int(time.time())
        result = boot("doors-" + name, f"run -c /boot/bin/deaths {seed} {kills}", **variables)
        self.assertFalse(result.panic(), result.why())
        self.assertEqual(result.status, 0, result.why())
        self.assertNotIn("not ok", result.output, result.log)
        self.assertIn("ok /boot/bin/deaths leaves nothing behind", result.output, result.log)
        counts = [int(count) for count in re.findall(r"^ok \S+ \((\d+) killed\)", result.output, re.M)]
        self.assertEqual(len(counts), STEPS, result.log)
        self.assertGreaterEqual(sum(counts), kills, result.log)

    def test_deaths_on_four_cpus(self):
        self.killed("4-cpus", 1500, CPUS="4")

    def test_deaths_in_the_debug_build(self):
        self.killed("debug", 600, CPUS="4", build=os.environ.get("LINTEL_DEBUG_BUILD", "build/debug"))

    def test_deaths_on_a_plain_cpu(self):
        self.killed("qemu64", 300, CPUS="3", CPU="qemu64")

    def test_deaths_with_counted_instructions(self):
        self.killed("counted", 600, ICOUNT="1")


if __name__ == "__main__":
    unittest.main()
