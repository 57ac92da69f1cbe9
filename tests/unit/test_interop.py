# SPDX-License-Identifier: BSD-2-Clause
"""test_interop.py - the judges of tools/interop: what a program says right passes, each thing that is wrong does not."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from interop import programs  # noqa: E402

HASH = "Verification Hash: 826556 2ef302098d252181c4cb98b84a8a332a8e98506910393697\n"
REPORT = """Deleting files...Done
Time:
	4 seconds total
	3 seconds of transactions (666 per second)

Files:
	1556 created (389 per second)
		Creation alone: 500 files (500 per second)
		Mixed with transactions: 1056 files (352 per second)
	978 read (326 per second)
	1018 appended (339 per second)
	1556 deleted (389 per second)
		Deletion alone: 612 files (612 per second)
		Mixed with transactions: 944 files (314 per second)

Data:
	5.96 megabytes read (1.49 megabytes per second)
	9.60 megabytes written (2.40 megabytes per second)
"""


class Interop(unittest.TestCase):
    def refuses(self, program, output):
        with self.assertRaises(programs.Wrong):
            program.judge(output)

    def test_speedtest1(self):
        program = programs.Speedtest("", 5)
        program.on_host = lambda arguments: HASH
        good = f"       TOTAL.......................................................    3.935s\n{HASH}"
        self.assertIn("3.935 s with WAL", program.judge(good * 3))
        self.refuses(program, good * 2)
        self.refuses(program, good * 2 + good.replace("2ef3", "2ef4"))
        self.refuses(program, good * 2 + good.replace(HASH, ""))

    def test_fuzzcheck(self):
        program = programs.Fuzzcheck("", ["fuzzdata3.db", "fuzzdata4.db"])
        good = "fuzzcheck: 0 errors out of 4891 tests in 1.350 seconds\n"
        self.assertIn("4,891 cases", program.judge(good))
        self.refuses(program, good.replace("4891", "4890"))
        self.refuses(program, "fuzzdata3.db: fatal error: timeout\n")

    def test_all_cases(self):
        self.assertEqual(sum(programs.FUZZ_CASES.values()), 46217)

    def test_postmark(self):
        program = programs.Postmark("", 500, 2000)
        program.on_host = lambda arguments: REPORT.replace("(", "(1") * 2
        self.assertIn("2,000 transactions in 3 s by stdio and 3 s", program.judge(REPORT * 2))
        self.refuses(program, REPORT)
        self.refuses(program, "")
        for line in REPORT.splitlines():
            number = line.split("(")[0].strip().split(": ")[-1].split(" ")[0]
            if line.startswith("\t") and "seconds" not in line:
                self.refuses(program, REPORT + REPORT.replace(line, line.replace(number, "7", 1)))


if __name__ == "__main__":
    unittest.main()
