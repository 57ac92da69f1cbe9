# SPDX-License-Identifier: BSD-2-Clause
"""test_meter.py - what the plugin wrote, read back; whose an instruction is; budgets and shared lines. Boots nothing."""
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from bench import report, tables  # noqa: E402
from bench.problem import Problem  # noqa: E402
from meter import budget, measure, output, parts, scaling, stores  # noqa: E402
from meter.elf import Elf  # noqa: E402
from meter.lines import Lines  # noqa: E402
from meter.names import Names, Place  # noqa: E402

TEXT = """stretch 1
code 20 ffffffff80200000 7f01 0f22d8
code 10 400000 7f02 f0ff00
end 1
stretch 2
line 1040
access 0 store 10 9 ffffffff80200000 7f01 8900
access 1 load 30 10 ffffffff80200004 7f01 8b00
line 1080
access 1 store 1 1 400000 7f02 8900
access 0 load 1 0 400000 7f02 8b00
end 2
stretch 3
store 5 100 1a0 400000 7f02 8900
end 3
"""

# Two programs at the same addresses; and a kernel above.
PROGRAM = """.globl _start
_start: {}
.globl door_call
door_call: ret
.globl second
second: ret
"""
KERNEL = """.globl syscall_entry_fast
syscall_entry_fast: nop
call.look_up: nop
call_exit: nop
not_known: nop
"""


class Parsing(unittest.TestCase):
    def test_stretches(self):
        first, second, third = output.parse(TEXT)
        self.assertEqual([(count, code.address) for count, code in first.executed], [(20, 0xffffffff80200000), (10, 0x400000)])
        self.assertEqual(second.lines[0x1040][0].taken, 9)
        self.assertTrue(second.lines[0x1040][0].store)
        self.assertEqual(third.stores[0][:3], (5, 0x100, 0x1a0))
        self.assertEqual(output.parse(""), [])

    def test_torn_and_strange(self):
        lines = TEXT.splitlines()
        for text in ("\n".join(lines[:2]), "\n".join(lines[1:]), "stretch 2\nend 2", "stretch 1\nwhat 1\nend 1",
                     "stretch 1\ncode x 1 2 90\nend 1", "stretch 1\naccess 0 load 1 1 1 1 90\nend 1", "stretch 1\n\nend 1",
                     "stretch 1\nstretch 2\nend 2", "end 1"):
            with self.subTest(text=text), self.assertRaises(Problem) as caught:
                output.parse(text)
            self.assertNotIn("\n", str(caught.exception))


class Instructions(unittest.TestCase):
    def test_locked(self):
        for data in ("f0ff00", "3ef0ff00", "8700", "488703", "f2f00fb10b"):
            self.assertTrue(budget.is_locked(bytes.fromhex(data)), data)
        for data in ("ff00", "87c8", "90", "0f22d8", "4889f0"):
            self.assertFalse(budget.is_locked(bytes.fromhex(data)), data)

    def test_parts(self):
        def part(program, label, macro=""):
            return parts.part_of(Place(program, label, 0, macro))
        self.assertEqual(part("kernel", "call.look_up"), parts.LOOK_UP)
        self.assertEqual(part("kernel", "return_enter"), parts.ACTIVATION)
        self.assertEqual(part("kernel", "return_enter", "SWITCH_ROOT"), parts.SWITCH)
        self.assertEqual(part("kernel", "call_window_0"), parts.WINDOW)
        self.assertEqual(part("kernel", "syscall_entry_fast", "CLEAR_FPU"), parts.CLEAR)
        self.assertEqual(part("kernel", "window_map_quick.constprop.0"), parts.WINDOW)
        self.assertEqual(part("kernel", "never_heard_of"), "kernel: never_heard_of")
        self.assertEqual(part("pmfs", "kit_entry"), parts.SERVER_STUB)
        self.assertEqual(part("bench", "door_words"), parts.LOOP)
        self.assertEqual(part("kernel", "door_call"), "kernel: door_call")
        self.assertLess(parts.rank(parts.CLIENT), parts.rank("kernel: never_heard_of"))


class Attribution(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        kernel = cls.link("kernel", KERNEL, 0xffffffff80200000)
        cls.one, cls.two = (cls.link(name, PROGRAM.format(code), 0x400000) for name, code in (("one", "inc %eax"),
                                                                                            ("two", "dec %eax")))
        cls.names = Names(kernel, [cls.one, cls.two], {0xffffffff80200000: "", 0xffffffff80200003: "LOOK_UP"})

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def link(cls, name, text, base):
        path = os.path.join(cls.folder.name, name)
        with open(path + ".S", "w", encoding="ascii") as file:
            file.write(text)
        subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", f"-Wl,-Ttext={base:#x}",
                        "-Wl,-e,0", path + ".S", "-o", path], check=True)
        return Elf(path, name)

    def test_program_by_its_bytes(self):
        dec, ret = output.Code(0x400000, 1, b"\xff\xc8"), output.Code(0x400002, 1, b"\xc3")
        inc, odd = output.Code(0x400000, 2, b"\xff\xc0"), output.Code(0x400000, 3, b"\x99\x99")
        self.names.learn([dec, ret, inc, odd])
        self.assertEqual(self.names.place(dec)[:3], ("two", "_start", 0))
        self.assertEqual(self.names.place(ret)[:3], ("two", "door_call", 0))
        self.assertEqual(self.names.place(inc)[:2], ("one", "_start"))
        self.assertEqual(self.names.place(odd)[:2], ("?", "0x400000"))

    def test_labels_of_the_kernel(self):
        def label(offset):
            return self.names.place(output.Code(0xffffffff80200000 + offset, 9, b"\x90"))
        self.assertEqual([label(offset).label for offset in range(4)],
                         ["syscall_entry_fast", "call.look_up", "call_exit", "not_known"])
        self.assertEqual(label(3).macro, "LOOK_UP")
        self.assertEqual(label(2).macro, "")  # that line lies before this label

    def test_budget_is_whole(self):
        stretch = output.parse(TEXT)[0]
        found = budget.Budget({"row": "door_6", "value": 1.0, "operations": 10}, stretch, self.names)
        self.assertEqual(found.total(), 3.0)
        self.assertEqual(found.as_json()["locked"], 1.0)
        self.assertEqual(found.as_json()["root_loads"], 2.0)
        self.assertEqual(sum(count for _, count in found.as_json()["parts"]), 3.0)
        self.assertIn("entry ", "\n".join(found.text()))

    def test_lines(self):
        found = Lines({"row": "x", "operations": 1000, "ipis": 1.0}, output.parse(TEXT)[1], self.names)
        self.assertAlmostEqual(found.stores(), 0.011)
        self.assertAlmostEqual(found.total(), 0.010)
        self.assertEqual([address for address, _ in found.sorted()], [0x1040, 0x1080])
        text = "\n".join(found.text())
        self.assertIn("kernel: syscall_entry_fast, CPU 0", text)
        self.assertNotIn("line 0x1080", text)
        self.assertIn("line 0x1080", "\n".join(found.text(every=True)))


class ScalingSeen(unittest.TestCase):
    def test_who_else_was_there(self):
        self.assertAlmostEqual(scaling.others_share((100, 1000, 0), (250, 1200, 140)), 0.05)
        self.assertEqual(scaling.others_share((0, 0, 0), (10, 100, 12)), 0.0)

    def test_the_quietest_is_told(self):
        def one_boot(others, loop):
            rows = [("loop, 1 thread", loop), ("loop, 2 threads", 1.0), ("door call, 1 thread", 100.0), ("", 51.0)]
            return scaling.Scaling([{"what": what, "value": value} for what, value in rows], others)
        boots = [one_boot(*figures) for figures in ((0.5, 1.99), (0.0, 1.4), (0.005, 1.95), (0.0, 2.0))]
        with mock.patch.object(scaling, "measure_once", side_effect=boots) as once, \
                mock.patch.object(scaling, "wait_for_quiet"):
            self.assertIn("x1.96  (a loop without calls x1.95)", scaling.measure("", "", "x_2").text())
            self.assertEqual(once.call_count, 3)
        self.assertIn("no good: others had 50 %", boots[0].text())
        self.assertIn("no good", boots[1].text())


class StoresSeen(unittest.TestCase):
    def test_who_may_store(self):
        def judge(program, label):
            return stores.judge(Place(program, label, 0, ""), {"pm_store", "store_nt"})
        self.assertEqual(judge("pmfs", "pm_store"), stores.OURS)
        self.assertEqual(judge("pmfs", "store_nt.constprop.0"), stores.OURS)
        self.assertEqual(judge("bench", "store_sync"), stores.CLIENT)
        for program, label in (("pmfs", "memcpy"), ("memfs", "pm_store"), ("kernel", "copy_to_user"), ("?", "0x400000")):
            self.assertEqual(judge(program, label), stores.AROUND)

    def test_none_at_all_is_no_proof(self):
        with self.assertRaises(Problem):
            stores.Stores(output.parse("stretch 1\nend 1\n")[0], Names(None, [], {}), {"pm_store"})


class Tables(unittest.TestCase):
    RUN = {"format": 1, "started": "", "seconds": 1, "not_shown": "", "machine": {}, "problems": [], "measurements": [
        {"mode": "exact", "column": "lintel", "row": "door_6", "group": "ipc", "what": "a door", "value": 275.0, "unit": "insn",
         "tlb_flushes": 2.0, "ipis": 0.0, "shared_stores": 0.0}],
        "budgets": [{"row": "door_6", "what": "a door", "value": 275.0, "total": 278.0, "parts": [["client stub", 39.0]],
                     "locked": 0.0, "root_loads": 2.0, "page_flushes": 0.0}]}

    def test_costs_and_budget_are_told(self):
        text = tables.run_text(self.RUN)
        row = next(line for line in text.splitlines() if line.startswith("  a door"))
        self.assertEqual(row.split()[-3:], ["2.0", "0.0", "0.0"])
        self.assertIn("client stub", text)
        self.assertIn("<th>shared stores</th>", report.page_html(self.RUN, "/no/such/folder"))

    def test_a_run_without_them_has_no_such_columns(self):
        run = self.RUN | {"budgets": [], "measurements": [{key: value for key, value in self.RUN["measurements"][0].items()
                                                           if key != "shared_stores"}]}
        self.assertNotIn("shared stores", tables.run_text(run))

    def test_pairs_bring_their_first_half(self):
        self.assertEqual(measure.with_first_halves(["door_handle", "scale_door_6_2"]),
                         ["door_handle", "scale_door_6_1", "scale_door_6_2"])


if __name__ == "__main__":
    unittest.main()
