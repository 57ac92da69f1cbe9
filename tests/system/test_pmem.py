# SPDX-License-Identifier: BSD-2-Clause
"""test_pmem.py - pmem that is kept, absent, tiny, oddly sized, foreign or cut short: one clear line, the kernel alive,
and nothing written to what is not ours."""
import hashlib
import os
import unittest

from testing.boots import boot, test_folder


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Pmem(unittest.TestCase):
    def boots(self, name, script, status=0, **variables):
        result = boot("pmem-" + name, script, **variables)
        self.assertFalse(result.panic(), result.why())
        if status is not None:
            self.assertEqual(result.status, status, result.why())
        return result

    def with_image(self, name, content, script, size=None, **variables):
        path = os.path.join(test_folder("pmem-" + name), "given.img")
        with open(path, "wb") as file:
            file.write(content)
            if size is not None:
                file.truncate(size)
        return path, self.boots(name, script, PMEM="", PMEM_FILE=path, **variables)

    def test_files_are_kept(self):
        self.boots("kept", "mkdir /pmem/folder; cp /boot/bin/shell /pmem/folder/shell")
        result = self.boots("kept", "ls /pmem/folder; sha256sum /pmem/folder/shell /boot/bin/shell", keep=True)
        sums = [line.split()[0] for line in result.output.splitlines() if line.endswith("/shell") and len(line) > 64]
        self.assertEqual(len(sums), 2, result.why())
        self.assertEqual(sums[0], sums[1], result.why())

    def test_no_nvdimm(self):
        self.boots("none", "ls /tmp; zones", PMEM="none")

    def test_odd_sizes(self):
        for size in ("1M", "17M", "63M"):
            with self.subTest(size=size):
                self.boots("odd-" + size, "ls /tmp", PMEM=size)

    def test_empty_file(self):
        _, result = self.with_image("empty", b"", "ls /tmp", status=2)
        self.assertIn("too small for an NVDIMM", result.output)

    def test_foreign_bytes_are_left_alone(self):
        content = hashlib.shake_256(b"lintel").digest(32 << 20)
        path, result = self.with_image("foreign", content, "ls /tmp")
        self.assertIn("refused", result.output, result.why())
        self.assertEqual(digest(path), hashlib.sha256(content).hexdigest(), result.why())

    def test_cut_short(self):
        self.boots("cut", "cp /boot/bin/shell /pmem/shell", PMEM="64M")
        with open(os.path.join(test_folder("pmem-cut"), "pmem.img"), "rb") as file:
            content = file.read(24 << 20)
        path, result = self.with_image("cut", content, "ls /tmp")
        self.assertIn("cut short", result.output, result.why())
        self.assertEqual(digest(path), hashlib.sha256(content).hexdigest(), result.why())

    def test_one_server_a_device(self):
        result = self.boots("one-server", "echo x >/pmem/file; start fsck; sleep 1; cat /pmem/file", PMEM="8M")
        self.assertNotIn("sound", result.output, result.why())
        self.assertRegex(result.output, r"fsck.*(busy|holds it)", result.why())
        result = self.boots("one-server", "stop pmfs; start fsck; sleep 4", keep=True)
        self.assertIn("zone: sound", result.output, result.why())


if __name__ == "__main__":
    unittest.main()
