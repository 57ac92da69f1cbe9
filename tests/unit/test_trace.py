# SPDX-License-Identifier: BSD-2-Clause
"""tools/trace.py: what the shell prints becomes slices that nest, and stacks that add up."""
import importlib.util
import os
import tempfile
import unittest

# By its path: Python has a module of that name.
SPEC = importlib.util.spec_from_file_location("lintel_trace", os.path.join(os.path.dirname(__file__), "../../tools/trace.py"))
trace = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(trace)

LOG = """boot: a line that is none of ours
@ 0 1000 7 3 syscall door_call 0x20005 fs.open
@ 0 1100 7 4 syscall_end door_call 0x0 OK
@ 0 1200 7 4 syscall vmo_create 0x1000 vmo_create
@ 0 1300 7 4 interrupt 240 0x400000\x20
@ 0 1310 7 4 interrupt_end 240 0x0\x20
@ 0 1400 7 4 syscall_end vmo_create 0x0 OK
@ 0 1500 7 4 switch 9 0x5\x20
@ 0 2500 9 5 switch 7 0x4\x20
@ 0 2600 7 4 syscall door_return 0x0 door_return
@ 0 2700 7 3 syscall_end door_return 0x0 OK
@ 0 2800 7 3 fault 1 0x5000\x20
@ 0 2900 7 3 fault_end 1 0x0 OK
@process 3 shell
@process 4 memfs
"""


class TraceTest(unittest.TestCase):
    def convert(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "serial.log")
            with open(path, "w", encoding="utf-8") as log:
                log.write(text)
            return trace.convert(*trace.read(path))

    def test_slices_nest(self):
        made = self.convert(LOG)
        track = [(line["ph"], line["name"]) for line in made.out if line["pid"] == 1 and line.get("tid") == 7]
        self.assertEqual(track[:6], [("B", "memfs: fs.open"), ("B", "vmo_create"), ("E", "vmo_create"),
                                     ("E", "memfs: fs.open"), ("B", "fault write"), ("E", "fault write")])

    def test_time_switched_out_is_not_counted(self):
        folded = self.convert(LOG).folded
        self.assertEqual(folded["shell;memfs: fs.open;vmo_create"], 200)
        self.assertEqual(folded["shell;memfs: fs.open"], 100 + 100 + 200)
        self.assertEqual(folded["shell;fault write"], 100)

    def test_a_call_that_began_earlier_is_left_out(self):
        made = self.convert("@ 0 10 7 3 syscall_end vmo_create 0x0 OK\n@ 0 20 7 3 syscall vmo_create 0x0 vmo_create\n")
        phases = [line["ph"] for line in made.out if line["name"] == "vmo_create"]
        self.assertEqual(phases, ["B", "E"])

    def test_a_pager_is_called_within_a_door_call(self):
        """Its return ends its own slice, not the call's that touched the page."""
        made = self.convert("""@ 0 10 7 3 syscall door_call 0x1 fs.read
@ 0 20 7 4 syscall_end door_call 0x0 OK
@ 0 30 7 4 fault 0 0x5000\x20
@ 0 40 7 4 fault_end 0 0xfffffffffffffff0 AGAIN
@ 0 50 7 4 door 5 0x3 pager.fault
@ 0 60 7 5 syscall vmo_supply 0x0 vmo_supply
@ 0 70 7 5 syscall_end vmo_supply 0x0 OK
@ 0 80 7 5 syscall door_return 0x0 door_return
@ 0 85 7 5 door_end 5 0x0 OK
@ 0 90 7 4 syscall_end door_return 0x0 OK
@ 0 95 7 4 syscall door_return 0x0 door_return
@ 0 99 7 3 syscall_end door_return 0x0 OK
""")
        self.assertEqual([(line["ph"], line["name"]) for line in made.out if line["pid"] == 1 and "ts" in line], [
            ("B", "process 4: fs.read"), ("B", "fault read"), ("E", "fault read"), ("B", "process 5: pager.fault"),
            ("B", "vmo_supply"), ("E", "vmo_supply"), ("E", "process 5: pager.fault"), ("E", "process 4: fs.read")])
        self.assertEqual(made.folded["process 3;process 4: fs.read;process 5: pager.fault"], 10 + 15)

    def test_tracks_of_cpus_balance(self):
        made = self.convert(LOG)
        depth = 0
        for line in made.out:
            if line["pid"] == 2 and line.get("tid") == trace.CPU_TRACKS:
                depth += {"B": 1, "E": -1}.get(line["ph"], 0)
                self.assertGreaterEqual(depth, 0)
        self.assertEqual(depth, 0)


if __name__ == "__main__":
    unittest.main()
