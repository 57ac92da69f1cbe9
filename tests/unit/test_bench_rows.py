# SPDX-License-Identifier: BSD-2-Clause
"""test_bench_rows.py - the benchmark program itself, built for this machine as for the Linux guest: rows run and check their
work; programs of others that are missing, fail, or say something else are no figure."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
from bench import native  # noqa: E402

POSTMARK_SAYS = r"\t11054 created (1)\n\t9952 read (1)\n\t9967 appended (1)\n\t11054 deleted (1)\n" \
                r"\t63.86 megabytes read (1)\n\t70.60 megabytes written (1)\n"
HASH = "Verification Hash: 1770470 19f033c0ab47f9479fc13174d106795176c427658861a74b"
# The header of a database whose write version (byte 18) is what SQLite leaves behind without WAL, or with it.
DATABASE = {"journal": r"SQLite format 3\000\020\000\001\001", "wal": r"SQLite format 3\000\020\000\002\002"}


class Rows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = os.path.join(cls.folder.name, "bench")
        before = os.getcwd()
        os.chdir(ROOT)
        try:
            native.compile_program(cls.program, native.bench_sources())
        finally:
            os.chdir(before)

    def setUp(self):
        self.place = tempfile.TemporaryDirectory(dir=self.folder.name)
        self.addCleanup(self.place.cleanup)

    def bench(self, *words):
        """(exit status, rows by id without place, what it complained of)"""
        result = subprocess.run([self.program, *words, "--json", "--quick"], capture_output=True, text=True, timeout=300,
                                check=False)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        return result.returncode, {row["row"].rpartition(".")[2]: row for row in rows}, result.stderr

    def application(self, name, script, row, leaves=()):
        """Why the row has no figure, or None; `name` is a script that stands in for the program."""
        path = os.path.join(self.place.name, name)
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        pool = os.path.join(self.place.name, "place")
        os.makedirs(pool, exist_ok=True)
        status, rows, _ = self.bench("programs", "--dir", pool, "--programs", self.place.name, "--rows", row)
        self.assertEqual(os.listdir(pool), list(leaves))
        self.assertEqual(status, 1 if "error" in rows[row] else 0)
        return rows[row].get("error")

    def test_two_cpus_threads_and_calls(self):
        rows = "thread_switch,futex_round_trip,vfork_exec_wait,fork_exec_wait,spawn_wait,munmap_1,mprotect_flip"
        status, found, complaints = self.bench("ipc", "memory", "--rows", rows)
        self.assertEqual((status, complaints), (0, ""))
        self.assertEqual(set(found), set(rows.split(",")))
        self.assertTrue(all(row["value"] > 0 for row in found.values()))

    def test_postmark(self):
        self.assertIsNone(self.application("postmark", f"printf '{POSTMARK_SAYS}'", "postmark_whole"))
        self.assertIn("did not say", self.application("postmark", f"printf '{POSTMARK_SAYS.replace('9952', '9951')}'",
                                                      "postmark_whole"))
        self.assertIn("ended with an error", self.application("postmark", f"printf '{POSTMARK_SAYS}'; exit 3", "postmark_whole"))

    def test_postmark_leaves_nothing(self):
        script = f"set -- $(head -1 $1); touch $3/rest; printf '{POSTMARK_SAYS}'"
        self.assertIn("PostMark's directory", self.application("postmark", script, "postmark_whole", ["bench.pool"]))

    def speedtest(self, kind, said=HASH, header="journal"):
        script = f"for path; do :; done; [ $path = :memory: ] || printf '{DATABASE[header]}.' >$path; echo '{said}'"
        return self.application("speedtest1", script, "speedtest1_" + kind)

    def test_speedtest(self):
        self.assertIsNone(self.speedtest("journal"))
        self.assertIsNone(self.speedtest("wal", header="wal"))
        self.assertIsNone(self.speedtest("memory"))
        self.assertIn("did not say", self.speedtest("memory", HASH.replace("19f", "19e")))
        self.assertIn("cannot use its write-ahead log", self.speedtest("wal"))

    def test_missing_programs(self):
        status, rows, _ = self.bench("programs", "--dir", self.place.name, "--programs", "/no/such",
                                     "--rows", "postmark_whole,speedtest1_wal")
        self.assertEqual(status, 1)
        self.assertEqual(rows["postmark_whole"]["error"], "/no/such/postmark: No such file or directory")
        self.assertIn("No such file", rows["speedtest1_wal"]["error"])

    def test_bad_words(self):
        for words in (("nonsense",), ("--dir", "/no/such"), ("--programs",)):
            with self.subTest(words=words):
                result = subprocess.run([self.program, *words], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((result.returncode, result.stdout, len(result.stderr.splitlines())), (2, "", 1))


if __name__ == "__main__":
    unittest.main()
