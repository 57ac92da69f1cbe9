# SPDX-License-Identifier: BSD-2-Clause
"""test_meter.py - the plugin in a running machine: a row's budget adds up to the row, calls of two CPUs share no line, and
what does share lines is seen."""
import os
import subprocess
import unittest

from meter import lines, measure
from testing.boots import build_folder


class Meter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make = os.environ.get("MAKE", "make").split()
        plugin = os.path.join(build_folder(), "meter.so")
        subprocess.run(make + ["BUILD=" + build_folder(), plugin], check=True, stdout=subprocess.DEVNULL)

    def test_budget_adds_up(self):
        for budget in measure.budgets(build_folder(), ["null_call", "door_6"]):
            with self.subTest(row=budget.row):
                loop = budget.total() - budget.value  # of an empty body
                self.assertTrue(2.9 < loop < 3.2, f"{budget.total()} instructions seen, the row says {budget.value}")
                self.assertEqual(budget.locked, 0)
        self.assertEqual(budget.roots, 2 * budget.operations)

    def test_calls_share_no_line(self):
        rows = measure.lines(build_folder(), [*measure.PAIR_ROWS, "thread_create_join"])
        for row in rows[:-1]:
            with self.subTest(row=row.row):
                self.assertLess(row.total(), lines.LEAST, "\n" + "\n".join(row.text()))
        self.assertGreater(rows[-1].total(), 1, "threads that begin and end on two CPUs share lines")


if __name__ == "__main__":
    unittest.main()
