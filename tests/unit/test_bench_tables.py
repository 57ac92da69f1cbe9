# SPDX-License-Identifier: BSD-2-Clause
"""test_bench_tables.py - a run as tables, CSV and HTML; what changed between two runs. Boots nothing."""
import copy
import json
import os
import re
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from bench import baseline, figures, plan, report, tables  # noqa: E402


def figure(column, row, value=None, group="files", **more):
    one = {"mode": "exact", "column": column, "row": row, "group": group, "what": row + " <&>"} | more
    return one if value is None else one | {"value": value, "unit": "insn"}


def a_run():
    return {"format": 1, "started": "2026-01-01T00:00:00Z", "seconds": 1, "not_shown": "time", "machine": {"QEMU": "7 <x>"},
            "problems": ["one <problem>"], "measurements": [
                figure("lintel.pmem", "stat", 500.0), figure("lintel.tmp", "stat", 400.0), figure("lean.ext4", "stat", 2000.0),
                figure("lean.xfs", "stat", 1000.0), figure("lean.tmpfs", "stat", 800.0), figure("default.ext4", "stat", 9000.0),
                figure("lean.fuse", "stat", error="no <such> thing"), figure("lintel.pmem", "read", 50.0, copy=12),
                figure("lintel", "door_0", 100.0, "ipc"), figure("lean", "pipe_round_trip", 900.0, "ipc"),
                figure("lean", "eventfd_round_trip", 700.0, "ipc")]}


class Ratios(unittest.TestCase):
    def setUp(self):
        self.run_ = a_run()
        self.ipc, self.files = tables.tables_of(self.run_)

    def test_best_rival_by_ours(self):
        self.assertEqual(self.files.ratio("stat"), 2.0)  # xfs, not ext4, not as it comes
        self.assertEqual(self.files.ratio("stat", "lintel.tmp"), 2.0)
        self.assertIsNone(self.files.ratio("read"))  # no rival has it

    def test_cheapest_call_is_a_named_row(self):
        self.assertEqual(self.ipc.ratio(plan.CALL_ROW), 7.0)
        self.assertIsNone(self.ipc.ratio("door_0"))
        self.assertIn("Linux: eventfd_round_trip", tables.table_text(self.ipc))

    def test_nothing_to_divide_by(self):
        self.run_["measurements"][0]["value"] = 0.0
        self.assertIsNone(tables.tables_of(self.run_)[1].ratio("stat"))

    def test_numbers(self):
        self.assertEqual([tables.number_text(value) for value in (None, 0.0, 99.94, 100, 1234567.8)],
                         ["-", "0.0", "99.9", "100", "1,234,568"])
        self.assertEqual([tables.ratio_text(value) for value in (None, 0.5, 12.34, 209.1)], ["-", "x0.50", "x12.3", "x209"])


class Texts(unittest.TestCase):
    def test_terminal(self):
        text = tables.run_text(a_run())
        row = next(line for line in text.splitlines() if line.startswith("  stat"))
        self.assertEqual(row.split()[-1], "x2.00")
        self.assertIn("stat did not run on lean.fuse: no <such> thing", text)
        self.assertIn("files: Linux as it comes", text)
        self.assertIn("problem: one <problem>", text)

    def test_csv(self):
        lines = tables.run_csv(a_run()).splitlines()
        self.assertEqual(lines[0].split(",")[0], "mode")
        self.assertTrue(any(line.startswith("exact,files,stat,") and line.endswith(",2.000") for line in lines))

    def test_wall_time_shows_ratios_only(self):
        run = a_run()
        for one in run["measurements"]:
            one.update(mode="wall-2", unit="ns", least=one.get("value", 0), most=one.get("value", 0) * 2)
        text = tables.run_text(run)
        self.assertIn("x2.00", text)
        self.assertIn("+0..+100 %", text)
        self.assertNotIn("2,000", text)

    def test_scaling(self):
        run = a_run()
        run["measurements"] = [dict(figure("lintel.pmem", f"scale_read_{threads}", value, "scaling"), mode="wall-2")
                               for threads, value in ((1, 100.0), (2, 60.0))]
        self.assertIn("x1.67", tables.run_text(run))

    def test_a_busy_machine_is_told(self):
        run = a_run()
        for two, busy in ((52.0, False), (80.0, True)):
            run["measurements"] = [dict(figure("lintel", f"scale_loop_{threads}", value, "scaling"), mode="wall-2")
                                   for threads, value in ((1, 100.0), (2, two))]
            self.assertEqual("the machine was busy: a loop without calls ran x1.25" in tables.run_text(run), busy)
            self.assertEqual("the machine was busy" in report.page_html(run, "/no/such"), busy)

    def test_page_is_whole_and_escaped(self):
        page = report.page_html(a_run(), "/no/such/folder")
        self.assertIn('title="no &lt;such&gt; thing"', page)
        self.assertIn("one &lt;problem&gt;", page)
        self.assertNotIn("http", page)
        self.assertTrue(page.endswith("</html>\n"))

    def test_a_page_for_each_operation(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(report, "draw", return_value="no matplotlib"):
            path = os.path.join(folder, "index.html")
            self.assertEqual(report.write_page(a_run(), path, path), "no matplotlib")
            with open(path, encoding="utf-8") as file:
                index = file.read()
            pages = re.findall(r'href="(operations/[^"]+)"', index)
            self.assertEqual(len(pages), len(set(pages)))
            texts = {}
            for page in pages:
                with open(os.path.join(folder, page), encoding="utf-8") as file:
                    texts[page] = file.read()
        self.assertEqual(len(pages), 6)  # stat, read, door_0, two of Linux's calls, the cheapest call
        stat = texts["operations/exact-files-stat.html"]
        self.assertIn("Linux FUSE memory</td><td class='bad' colspan='2'>did not run: no &lt;such&gt; thing", stat)
        self.assertIn("<td>Linux ext4-dax</td><td>2,000</td><td>x4.00</td>", stat)
        self.assertIn("../index.html", stat)
        self.assertIn("Linux: eventfd_round_trip", texts["operations/exact-ipc-cheapest_call.html"])

    def test_empty_run(self):
        run = a_run() | {"measurements": [], "problems": []}
        self.assertEqual(tables.run_text(run), "")
        self.assertIn("</html>", report.page_html(run, "/no/such/folder"))


class Pages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "run.json")
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(a_run(), file)

    def renewed(self, words):
        return figures.renew(f"before\n<!-- bench: {self.path}{words} -->\nold\n<!-- bench end -->\nbehind\n")

    def test_whole_groups(self):
        text = self.renewed("")
        self.assertNotIn("old", text)
        self.assertTrue(text.startswith("before\n<!-- bench: ") and text.endswith("<!-- bench end -->\nbehind\n"))
        self.assertIn("| stat <&> | 500 | 400 | 2,000 | 1,000 | 800 | - | x2.00 |", text)
        self.assertIn("| door_0 <&> | 100 | - | - |", text)
        self.assertNotIn("| ipc |", self.renewed(" files"))

    def test_some_rows(self):
        text = self.renewed(" files=stat ipc")
        self.assertIn("| stat ", text)
        self.assertNotIn("| read ", text)
        self.assertIn("| door_0 ", text)


class Check(unittest.TestCase):
    def test_each_figure_apart_has_its_reason(self):
        run = {"measurements": [figure("lean.ext4", "stat", 3034.0), figure("lean.ext4", "fstat", 2170.0),
                                figure("lean", "pipe_round_trip", 20000.0, "ipc"), figure("lean.ext4", "rename", error="why")]}
        lines = baseline.check_text(run).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertTrue(lines[0].startswith("  lean.ext4    fstat"))
        self.assertIn("+19.4 %  a path here is /MOUNT/FILE", lines[1])
        self.assertTrue(lines[2].startswith("* ") and lines[2].endswith("not explained"))
        self.assertEqual(lines[3], "1 of 3 within 3 %, 1 apart for a reason that is known, 1 not explained")


class Diff(unittest.TestCase):
    def test_changes(self):
        old, new = a_run(), copy.deepcopy(a_run())
        new["measurements"][0]["value"] = 600.0  # +20 %
        new["measurements"][1]["value"] = 401.0  # below 1 %
        del new["measurements"][2]
        new["measurements"].append(figure("lintel.pmem", "open", 7.0))
        text = tables.diff_text(old, new)
        self.assertIn("500 -> 600  +20.0 %", text)
        self.assertIn("new: 7.0", text)
        self.assertIn("gone", text)
        self.assertIn("3 figures changed", text)

    def test_same(self):
        self.assertTrue(tables.diff_text(a_run(), a_run()).startswith("0 figures changed"))


if __name__ == "__main__":
    unittest.main()
