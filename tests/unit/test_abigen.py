# SPDX-License-Identifier: BSD-2-Clause
"""test_abigen.py - the ABI generator: what it refuses, with file and line, and what it makes."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ERRORS = '/* errors */\nX(OK, 0, "Well.")\nX(ERR_ARGS, -1, "Bad.")\n'
CALLS = 'call null()\n  "Nothing."\ncall add(u32 a, in char text[length], size length) -> u64 sum\n  errors: ARGS\n  "Adds."\n'
PROTO = ('interface toy 7\nconst NAME_MAX 9\nenum toy_open_flag\n  READ 1\nstruct toy_stat\n  u64 size # bytes\n'
         'message look(u32 n, path name) -> (struct toy_stat st)\n  errors: ARGS\n  "Looks."\n')


class Generator(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def run_generator(self, errors=ERRORS, calls=CALLS, proto=PROTO):
        for name, text in (("errors.def", errors), ("syscalls.def", calls), ("toy.proto", proto)):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        return subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools/abigen"), "--abi", ".", "--out", "gen",
                               "--pages", "pages"], cwd=self.folder, capture_output=True, text=True, check=False)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def refused(self, where, why, **files):
        result = self.run_generator(**files)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertTrue(result.stderr.startswith(f"./{where}: "), result.stderr)
        self.assertIn(why, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, "one line")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "gen")), "nothing is written")

    def test_accepts_and_names(self):
        result = self.run_generator()
        self.assertEqual(result.stderr, "")
        stubs = self.read("gen/include/lintel/syscalls.h")
        self.assertIn("lintel_add(uint32_t a, const char *text, uint64_t length,", stubs)
        proto = self.read("gen/include/lintel/toy_proto.h")
        for text in ("TOY_OPEN_READ = 1", "TOY_MESSAGE_look = 1", "#define TOY_NAME_MAX 9u", "uint64_t size; /* bytes */"):
            self.assertIn(text, proto)
        self.assertIn("1 add(u32 a, in char text[length], size length) -> u64 sum", self.read("pages/abi/golden/syscalls.txt"))

    def test_unchanged_files_keep_their_time(self):
        self.run_generator()
        path = os.path.join(self.folder, "gen/include/lintel/syscalls.h")
        os.utime(path, (1, 1))
        self.run_generator()
        self.assertEqual(os.path.getmtime(path), 1)

    def test_check_finds_a_stale_golden(self):
        self.run_generator()
        command = [sys.executable, "-B", os.path.join(ROOT, "tools/abigen"), "--abi", ".", "--check", "pages"]
        self.assertEqual(subprocess.run(command, cwd=self.folder, check=False).returncode, 0)
        with open(os.path.join(self.folder, "pages/abi/golden/toy.txt"), "a", encoding="utf-8") as file:
            file.write("more\n")
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("abi/golden/toy.txt", result.stderr)

    def test_refuses_bad_errors(self):
        self.refused("errors.def:3", "must have the value -1", errors=ERRORS.replace("-1", "-2"))
        self.refused("errors.def:2", "expected X(", errors=ERRORS.replace('"Well."', "Well"))
        self.refused("errors.def:4", "defined twice", errors=ERRORS + 'X(OK, -2, "Again.")\n')

    def test_refuses_bad_calls(self):
        self.refused("syscalls.def:3", "cannot read the argument", calls=CALLS.replace("u32 a", "u31 a"))
        self.refused("syscalls.def:3", "is no argument", calls=CALLS.replace("text[length]", "text[count]"))
        self.refused("syscalls.def:4", "no error ERR_NOPE", calls=CALLS.replace("errors: ARGS", "errors: NOPE"))
        self.refused("syscalls.def:3", "defined twice", calls=CALLS.replace("call add", "call null"))
        self.refused("syscalls.def:6", "has no sentence", calls=CALLS + "call more()\n")
        self.refused("syscalls.def:3", "reserved", calls=CALLS.replace("u32 a", "u32 int"))
        many = ", ".join(f"u64 a{n}" for n in range(7))
        self.refused("syscalls.def:1", "at most 6", calls=f'call many({many})\n  "Many."\n')

    def test_refuses_bad_protocols(self):
        self.refused("toy.proto:1", "expected: interface", proto=PROTO.replace("interface toy 7", "interface toy 0"))
        self.refused("toy.proto:5", "multiple of 8", proto=PROTO.replace("u64 size", "u32 size"))
        self.refused("toy.proto:7", "misaligned", proto=PROTO.replace("  u64 size # bytes\n", "  u32 a\n  u64 size\n"))
        self.refused("toy.proto:7", "not defined above", proto=PROTO.replace("(struct toy_stat", "(struct toy_other"))
        self.refused("toy.proto:7", "reserved", proto=PROTO.replace("u32 n", "u32 scratch"))
        self.refused("toy.proto:7", "more than 5 scalar",
                     proto=PROTO.replace("u32 n", ", ".join(f"u64 n{n}" for n in range(6))))
        self.refused("toy.proto:7", "one bulk", proto=PROTO.replace("u32 n", "bulk in a, bulk in b"))
        paths = ", ".join(f"path p{n}" for n in range(4))
        self.refused("toy.proto:7", "bytes of scratch", proto=PROTO.replace("path name", paths))


if __name__ == "__main__":
    unittest.main()
