# SPDX-License-Identifier: BSD-2-Clause
"""test_faults.py - what the kernel prints of a fault in user mode: names of the program's functions, or addresses alone
where the program gave a wrong table; and the machine goes on."""
import os
import re
import subprocess
import unittest

from testing.boots import boot, build_folder, test_folder

OUTSIDE = r"""
#include <stdlib.h>
__attribute__((noipa)) void store_somewhere(volatile int *address) { *address = 1; }
__attribute__((noipa)) void call_it(void) { store_somewhere((volatile int *)0x10); abort(); }
int main(void) { call_it(); }
"""


def backtraces(output, program):
    """The names of each backtrace of that program, innermost first; '' for a frame without one. Lines that are not the
    kernel's may lie between its own."""
    found, current = [], None
    for line in re.findall(r"\[ *[0-9]+\.[0-9]+\] (.*)", output):
        if line.startswith(program + "["):
            current = []
            found.append(current)
        elif re.match(r"  [0-9a-f]{16}( |$)", line) and current is not None:
            current.append(re.sub(r"^  \S+ ?|\+0x[0-9a-f]+$", "", line))
        else:
            current = None
    return found


class Faults(unittest.TestCase):
    def boots(self, name, script, **variables):
        result = boot("faults-" + name, script, **variables)
        self.assertFalse(result.panic(), result.why())
        return result

    def test_functions_are_named(self):
        result = self.boots("names", "run /boot/bin/faults; ls /tmp")
        self.assertEqual(result.status, 0, result.why())
        traces = backtraces(result.output, "faults")
        self.assertEqual(traces[0][:4], ["fault_level_3", "fault_level_2", "fault_level_1", "be_child"], result.log)
        self.assertEqual(traces[0][-1], "_start")
        self.assertNotIn("fault_level_3", [name for trace in traces[1:12] for name in trace])

    def test_in_a_door_call_they_are_the_servers(self):
        result = self.boots("server", "run /boot/bin/doors")
        self.assertEqual(result.status, 0, result.why())
        ends = [trace[:1] + trace[-1:] for trace in backtraces(result.output, "doors")]
        self.assertIn(["dispatch", "kit_entry"], ends, result.log)

    def test_programs_from_outside_have_names(self):
        build, folder = build_folder(), test_folder("faults-outside")
        make = os.environ.get("MAKE", "make").split()
        extra = os.path.join(folder, "extra")
        os.makedirs(extra, exist_ok=True)
        subprocess.run(make + ["sdk", "BUILD=" + build], check=True, stdout=subprocess.DEVNULL)
        sdk = "build/sdk" if build.startswith("build/") else os.path.join(build, "sdk")
        source = os.path.join(folder, "outside.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(OUTSIDE)
        subprocess.run([os.path.join(sdk, "bin/lintel-cc"), "-O2", "-MD", "-MF", os.path.join(folder, "outside.d"),
                        source, "-o", os.path.join(extra, "outside")], check=True)
        with open(os.path.join(folder, "outside.d"), encoding="utf-8") as file:
            self.assertTrue(file.read().startswith(os.path.join(extra, "outside")))
        subprocess.run(make + ["BUILD=" + build, "EXTRA=" + extra, os.path.join(build, "extra/boot.tar")], check=True,
                       stdout=subprocess.DEVNULL)
        result = self.boots("outside", "run /extra/outside", EXTRA=extra)
        self.assertNotIn(result.status, (0, None), result.why())
        trace = backtraces(result.output, "outside")[0]
        self.assertEqual([trace[0], trace[1]], ["store_somewhere", "call_it"], result.log)


if __name__ == "__main__":
    unittest.main()
