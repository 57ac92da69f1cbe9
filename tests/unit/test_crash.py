# SPDX-License-Identifier: BSD-2-Clause
"""A seeded slice of the crash states of pmfs (tests/crash), and its tools on image files."""
import os
import re
import subprocess
import unittest

BUILD = os.environ.get("LINTEL_BUILD", "build/release")
SEED = os.environ.get("CRASH_SEED", "1")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=280, check=False)


def make(goal):
    result = run(*os.environ.get("MAKE", "make").split(), "BUILD=" + BUILD, goal)
    assert result.returncode == 0, result.stderr[-2000:]


class CrashStates(unittest.TestCase):
    def test_slice(self):
        make("crash-build")
        result = run(f"{BUILD}/test/crash/crash", "--slice", "20", "--jobs", "1", "--seed", SEED)
        self.assertEqual(result.returncode, 0, result.stderr[:2000])
        images = int(re.search(r"all well: (\d+) images", result.stdout).group(1))
        self.assertGreater(images, 100)


class Tools(unittest.TestCase):
    def setUp(self):
        make("pmfs-tools")
        self.image = f"{BUILD}/test/tools.img"
        if os.path.exists(self.image):
            os.unlink(self.image)

    def tool(self, name, *arguments):
        return run(f"{BUILD}/host/{name}", *arguments)

    def test_life_of_an_image(self):
        self.assertEqual(self.tool("mkfs.pmfs", "-s", "7", self.image, "8M").returncode, 0)
        self.assertEqual(self.tool("mkfs.pmfs", self.image).returncode, 8)
        self.assertEqual(self.tool("fsck.pmfs", self.image).returncode, 0)
        self.assertIn("inode 2: directory", self.tool("pmfs-dump", self.image).stdout)
        with open(self.image, "r+b") as file:  # as after a power cut: the state word is not the clean one
            file.seek(2 * 4096)
            file.write(bytes(8))
        self.assertIn("not cleanly unmounted", self.tool("fsck.pmfs", self.image).stdout)
        self.assertEqual(self.tool("fsck.pmfs", "-y", self.image).returncode, 1)
        self.assertEqual(self.tool("fsck.pmfs", "-y", self.image).returncode, 0)
        with open(self.image, "r+b") as file:  # the root directory's inode
            file.seek(20 * 4096 + 2 * 256 + 40)
            file.write(b"x")
        result = self.tool("fsck.pmfs", self.image)
        self.assertEqual(result.returncode, 4, result.stdout)
        self.assertIn("inode 2 is damaged", result.stdout)

    def test_what_is_not_ours(self):
        with open(self.image, "wb") as file:
            file.write(b"a letter to somebody" * 300000)
        self.assertEqual(self.tool("fsck.pmfs", self.image).returncode, 8)
        self.assertEqual(self.tool("mkfs.pmfs", self.image).returncode, 8)
        self.assertEqual(self.tool("pmfs-dump", self.image).returncode, 8)
        self.assertEqual(self.tool("mkfs.pmfs", "-f", self.image).returncode, 0)
        os.truncate(self.image, 4 << 20)
        self.assertIn("cut short", self.tool("fsck.pmfs", self.image).stderr)
