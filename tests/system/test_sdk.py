# SPDX-License-Identifier: BSD-2-Clause
"""test_sdk.py - a program from outside the tree: built with lintel-cc, run from /extra, on every way to boot."""
import os
import subprocess
import unittest

from testing.boots import boot, build_folder, test_folder

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#if defined(__linux__) || !defined(__lintel__) || !defined(__unix__)
#error "the program is told that it is for another system"
#endif
int main(int argc, char **argv)
{
	printf("program %d %s\n", argc, argc > 1 ? argv[1] : "-");
	return argc > 1 && !strcmp(argv[1], "fail") ? 3 : 0;
}
"""


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build = build_folder()
        cls.extra = os.path.join(test_folder("sdk"), "extra")
        os.makedirs(os.path.join(cls.extra, "sub"), exist_ok=True)
        make = os.environ.get("MAKE", "make").split()
        subprocess.run(make + ["sdk", "BUILD=" + build], check=True, stdout=subprocess.DEVNULL)
        sdk = "build/sdk" if build.startswith("build/") else os.path.join(build, "sdk")
        source = os.path.join(test_folder("sdk"), "prog.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run([os.path.join(sdk, "bin/lintel-cc"), "-O2", "-Wall", "-Werror", source, "-o",
                        os.path.join(cls.extra, "prog"), "-lm", "-lpthread", "-lrt"], check=True)
        with open(os.path.join(cls.extra, "sub/text"), "w", encoding="utf-8") as file:
            file.write("a line of text\n")
        subprocess.run(make + ["BUILD=" + build, "EXTRA=" + cls.extra, "iso", "esp"], check=True,
                       stdout=subprocess.DEVNULL)

    def test_runs(self):
        for way in ("pvh", "grub", "uefi"):
            with self.subTest(way=way):
                result = boot("sdk-" + way, "run /extra/prog word; cat /extra/sub/text", EXTRA=self.extra, BOOT=way)
                self.assertEqual(result.status, 0, result.why())
                self.assertIn("program 2 word", result.output)
                self.assertIn("a line of text", result.output)

    def test_its_status_counts(self):
        result = boot("sdk-fail", "run /extra/prog fail; ls /tmp", EXTRA=self.extra)
        self.assertNotIn(result.status, (0, None), result.why())


if __name__ == "__main__":
    unittest.main()
