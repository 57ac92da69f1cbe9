# SPDX-License-Identifier: BSD-2-Clause
"""test_lease.py - pmfs is killed, or unmounted, while a program reads and writes a leased file: the program gets errors
and lives, the successor mounts the same media, and files are leased again."""
import re
import unittest

from testing.boots import boot

PMFS = "6"  # the fifth service that init starts; the test makes sure of it


class Lease(unittest.TestCase):
    def goes_well(self, name, script, tests):
        for cpus in ("1", "2"):
            with self.subTest(cpus=cpus):
                result = boot(f"lease-{name}-{cpus}", script, CPUS=cpus)
                self.assertFalse(result.panic(), result.why())
                self.assertEqual(result.status, 0, result.why())
                self.assertNotIn("not ok", result.output, result.log)
                self.assertNotIn("page fault", result.output, result.log)
                for test in tests:
                    self.assertRegex(result.output, rf"\bok {test}\b", result.log)
                yield result

    def test_killed(self):
        script = f"services; run lease_restart start killed; kill {PMFS}; ls /pmem; run lease_restart join; services"
        tests = ("uses_end_with_an_error", "the_old_descriptor_stays_dead", "a_new_descriptor_is_leased_again")
        for result in self.goes_well("killed", script, tests):
            rows = re.findall(r"^pmfs +running +(\d+) +(\d+) ", result.output, re.M)
            self.assertEqual([row[1] for row in rows], ["0", "1"], result.log)
            self.assertEqual(rows[0][0], PMFS, result.log)

    def test_unmounted(self):
        script = "run lease_restart start unmounted; umount /pmem; run lease_restart join"
        for _ in self.goes_well("unmounted", script, ("uses_end_with_an_error", "the_old_descriptor_stays_dead")):
            pass


if __name__ == "__main__":
    unittest.main()
