# SPDX-License-Identifier: BSD-2-Clause
"""test_machine.py - the variables of the run targets, the pmem file, and what QEMU's exit status means. Boots nothing."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from vm import machine  # noqa: E402
from vm.options import OptionError, command_line, encode, parse_options  # noqa: E402


class Variables(unittest.TestCase):
    def refused(self, why, **given):
        with self.assertRaises(OptionError) as caught:
            parse_options(given)
        self.assertIn(why, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_defaults(self):
        options = parse_options({"CPUS": "", "MEM": ""})
        self.assertEqual((options.cpus, options.mem, options.pmem, options.script), (2, 1 << 30, 0, None))

    def test_bad_values(self):
        for name, value in (("CPUS", "0"), ("CPUS", "65"), ("CPUS", "-1"), ("CPUS", "two"), ("MEM", "abc"), ("MEM", "512"),
                            ("MEM", "1K"), ("MEM", "99999999T"), ("PMEM", "17Q"), ("PMEM", "0M"), ("BOOT", "foo"),
                            ("ACCEL", "bar"), ("ICOUNT", "2"), ("CPU", "a b"), ("EXTRA", "/no/such/folder")):
            with self.subTest(name=name, value=value):
                self.refused(f"{name}={value}", **{name: value})
        self.refused("no such variable", COLOUR="1")
        self.refused("ICOUNT=1", ICOUNT="1", ACCEL="kvm")
        self.refused("once encoded", SCRIPT="; " * 600)

    def test_script_is_one_word(self):
        line = command_line(parse_options({"SCRIPT": "ls /pmem; echo 'a  b' \"$x\" 100%"}))
        self.assertEqual(line, "script=ls%20/pmem%3b%20echo%20%27a%20%20b%27%20%22%24x%22%20100%25")
        self.assertEqual(encode("ü\n"), "%c3%bc%0a")


class Pmem(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "sub/pmem.img")
        self.told = []

    def prepare(self, size="", make=None):
        if make is not None:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with open(self.path, "wb") as file:
                file.truncate(make)
        return machine.prepare_pmem(parse_options({"PMEM": size, "PMEM_FILE": self.path}), self.told.append)

    def test_is_made_once_and_kept(self):
        self.assertEqual(self.prepare("17M"), 17 << 20)
        self.assertEqual(self.prepare(), 17 << 20)
        self.assertEqual(self.prepare("17M"), 17 << 20)
        self.assertLess(os.stat(self.path).st_blocks, 100, "sparse")

    def test_refuses_to_change_its_size(self):
        self.prepare("16M")
        with self.assertRaisesRegex(OptionError, "has 16M, PMEM= asks for 32M: remove the file"):
            self.prepare("32M")

    def test_odd_sizes(self):
        self.assertEqual(self.prepare(make=1 << 20), 1 << 20)
        self.assertEqual(self.prepare(make=17_000_000), 17_000_000 // 4096 * 4096)
        self.assertEqual(len(self.told), 1)
        for size in (0, 1, 4095):
            with self.assertRaisesRegex(OptionError, "too small for an NVDIMM"):
                self.prepare(make=size)

    def test_none_and_not_a_file(self):
        self.assertEqual(self.prepare("none"), 0)
        self.assertFalse(os.path.exists(self.path))
        os.makedirs(self.path)
        with self.assertRaisesRegex(OptionError, "not a file"):
            self.prepare()


class Endings(unittest.TestCase):
    def test_exit_status(self):
        self.assertEqual(machine.explain(0, ""), (0, ""))
        self.assertEqual(machine.explain(1, "qemu-system-x86_64: warning: slow\n"), (0, ""))
        self.assertEqual(machine.explain(7, "")[0], 3)
        self.assertEqual(machine.explain(1, "qemu-system-x86_64: cannot open\n"), (1, "QEMU refuses: cannot open"))
        self.assertEqual(machine.explain(-6, "")[0], 1)


if __name__ == "__main__":
    unittest.main()
