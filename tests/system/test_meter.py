# SPDX-License-Identifier: BSD-2-Clause
"""test_meter.py - the plugin in a running machine: a row's budget adds up to the row, calls of two CPUs share no line and
what does share lines is seen, and nobody but pmfs and who has a file mapped stores into the NVDIMM."""
import os
import subprocess
import unittest

from meter import lines, measure, stores
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
                self.assertLess(row.stores(), lines.LEAST, "\n" + "\n".join(row.text()))
        self.assertGreater(rows[-1].total(), 1, "threads that begin and end on two CPUs share lines")

    def test_no_store_goes_around_pmfs(self):
        rows = "write_4k_fsync,append_4k,create_unlink,mkdir_rmdir,rename,map_store_msync"
        found = measure.stores(build_folder(), f"bench files --quick --dir /pmem --rows {rows} && umount /pmem")
        self.assertEqual(found.around(), [], "\n" + "\n".join(found.text()))
        kinds = {kind for kind, *_ in found.rows}
        self.assertEqual(kinds, {stores.OURS, stores.CLIENT})
        # Without the interface's names every store of pmfs is one that went around.
        labels = {place.label for kind, place, *_ in found.rows if kind == stores.OURS}
        self.assertLessEqual(labels, stores.interface_functions(build_folder()))
        self.assertEqual(stores.judge(next(place for kind, place, *_ in found.rows if kind == stores.OURS), set()),
                         stores.AROUND)


if __name__ == "__main__":
    unittest.main()
