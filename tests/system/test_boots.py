# SPDX-License-Identifier: BSD-2-Clause
"""test_boots.py - every way to boot, and machines that lack things: each must reach the shell and end as told."""
import unittest

from testing.boots import boot


class Boots(unittest.TestCase):
    def reaches_shell(self, name, **variables):
        result = boot("boots-" + name, "ls /boot; ls /tmp", **variables)
        self.assertFalse(result.panic(), result.why())
        self.assertEqual(result.status, 0, result.why())
        return result

    def test_pvh(self):
        self.reaches_shell("pvh")

    def test_grub_bios(self):
        self.reaches_shell("grub-bios", BOOT="grub")

    def test_grub_uefi(self):
        self.reaches_shell("grub-uefi", BOOT="grub-uefi")

    def test_uefi(self):
        self.reaches_shell("uefi", BOOT="uefi")

    def test_plain_cpu(self):
        self.reaches_shell("qemu64", CPU="qemu64", CPUS="2")

    def test_no_x2apic_no_pcid(self):
        self.reaches_shell("few-features", CPU="max,-x2apic,-pcid,-smep,-smap,-fsgsbase,-umip", CPUS="4")

    def test_counted_instructions_repeat(self):
        first = self.reaches_shell("icount", ICOUNT="1").output
        self.assertEqual(first, self.reaches_shell("icount", ICOUNT="1").output)

    def test_little_memory(self):
        self.reaches_shell("256M", MEM="256M")

    def test_much_memory(self):
        self.reaches_shell("6G", MEM="6G")

    def test_many_cpus(self):
        self.reaches_shell("16-cpus", CPUS="16")

    def test_counters_of_one_cpu(self):
        """Asking for a CPU that is not there is refused, not looked up."""
        result = boot("boots-counters", "counters", CPUS="1")
        self.assertFalse(result.panic(), result.why())
        self.assertIn("door calls", result.output)

    def test_failed_command_is_told(self):
        result = boot("boots-false", "cat /tmp/there-is-no-such-file")
        self.assertFalse(result.panic(), result.why())
        self.assertNotIn(result.status, (0, None), result.why())


if __name__ == "__main__":
    unittest.main()
