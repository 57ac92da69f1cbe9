# SPDX-License-Identifier: BSD-2-Clause
"""test_restart.py - a file system's server is killed: the shell, programs that run and programs that start later go on
with its successor."""
import re
import unittest

from testing.boots import boot

MEMFS = "5"  # the fourth service that init starts; the test makes sure of it


class Restart(unittest.TestCase):
    def test_files_work_again(self):
        result = boot("restart", f"run restart start; services; kill {MEMFS}; ls /tmp; run restart join; "
                                 "run posix_files; services")
        self.assertFalse(result.panic(), result.why())
        self.assertEqual(result.status, 0, result.why())
        rows = re.findall(r"^memfs +running +(\d+) +(\d+) ", result.output, re.M)
        self.assertEqual([row[1] for row in rows], ["0", "1"], result.log)
        self.assertEqual(rows[0][0], MEMFS, result.log)
        self.assertNotIn("not ok", result.output, result.log)
        for name in ("open_files_are_lost", "names_work_again", "test_stdio"):
            self.assertRegex(result.output, rf"\bok {name}\b", result.log)


if __name__ == "__main__":
    unittest.main()
