# SPDX-License-Identifier: BSD-2-Clause
"""test_bench_run.py - reading a guest's output, what is booted, going on after an interruption, saved runs, the guest's
archive, guests that hang or die. Boots nothing: shell scripts stand in for QEMU."""
import io
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from bench import guests, initramfs, packages, plan, session, store  # noqa: E402
from bench.__main__ import main, parse_groups  # noqa: E402
from bench.parse import Output, parse_row, size_of  # noqa: E402
from bench.problem import Problem  # noqa: E402

ROW = '{"row": "pmem.stat", "group": "files", "what": "stat", "value": 12.5, "unit": "insn", "copy": 0}'


def a_job(name="exact-lintel-files", system="lintel", mode="exact"):
    return plan.Job(name, system, "lintel" if system == "lintel" else "lean", "bench", ("files",), mode, 5)


class Lines(unittest.TestCase):
    def test_rows(self):
        self.assertEqual(parse_row("[   0.1] " + ROW)["value"], 12.5)
        self.assertEqual(parse_row('{"row": "x", "error": "why"}')["error"], "why")

    def test_torn_and_strange_lines(self):
        for line in ("", "stat 12", ROW[:-1], ROW[:40], '{"row": 1}', '{"row": "", "value": 1, "unit": "insn"}',
                     '{"row": "x", "value": "12", "unit": "insn"}', '{"row": "x", "value": -1, "unit": "ns"}',
                     '{"row": "x", "value": NaN, "unit": "ns"}', '{"row": "x", "value": 1, "unit": "miles"}',
                     '{"row": "x", "value": true, "unit": "ns"}', ROW + "x"):
            with self.subTest(line=line):
                self.assertIsNone(parse_row(line))

    def test_output(self):
        output = Output(a_job())
        for line in ("boot", ROW, "RAM      1.9 GiB: 2.5 MiB used, 1.9 GiB free", "x" * 100000):
            self.assertFalse(output.take(line))
        self.assertEqual(output.measurements[0]["column"], "lintel.pmem")
        self.assertEqual(output.measurements[0]["row"], "stat")
        self.assertEqual(output.facts, {"memory_used_bytes": 2621440})
        self.assertEqual(size_of("364 KiB"), 364 << 10)

    def test_linux_says_that_it_is_over(self):
        output = Output(a_job(system="linux"))
        self.assertFalse(output.take("bench: problem: ext4: no space"))
        output.take("bench: first instruction at TSC 6196160945")
        output.take("bench: fact memory_used_bytes 40")
        self.assertTrue(output.take("bench: end"))
        self.assertEqual(output.problems, ["ext4: no space"])
        self.assertEqual(output.facts, {"first_instruction_ns": 6196160945, "memory_used_bytes": 40})

    def test_wrong_unit_is_no_figure(self):
        output = Output(a_job(mode="wall-2"))
        output.take(ROW)
        self.assertEqual(output.measurements, [])
        self.assertIn("measured in insn", output.problems[0])


class Plans(unittest.TestCase):
    def test_groups(self):
        self.assertEqual(parse_groups("files,ipc"), ("ipc", "files"))
        self.assertEqual(parse_groups(""), plan.GROUPS)
        with self.assertRaises(Problem) as caught:
            parse_groups("files,speed")
        self.assertIn("there is no group speed", str(caught.exception))

    def test_names_are_unique(self):
        for jobs in (plan.exact_jobs(plan.GROUPS) + plan.wall_jobs(plan.GROUPS), plan.quick_jobs()):
            names = [job.name for job in jobs]
            self.assertEqual(len(names), len(set(names)))

    def test_only_what_is_asked_for(self):
        self.assertEqual({job.system for job in plan.exact_jobs(("ipc",))}, {"lintel", "linux"})
        self.assertEqual(len(plan.exact_jobs(("ipc",))), 3)
        self.assertEqual(plan.wall_jobs(("boot",)), [])

    def test_bad_words_end_with_2(self):
        with redirect_stderr(io.StringIO()) as said:
            self.assertEqual(main(["run", "--groups", "nonsense"]), 2)
            self.assertEqual(main(["diff", "/no/such/run", "/no/such/run"]), 2)
        self.assertEqual(len(said.getvalue().splitlines()), 2)


class Saved(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_going_on(self):
        parts = store.Parts(self.folder.name)
        self.assertIsNone(parts.find("one", "key"))
        parts.keep("one", "key", [{"row": "x"}], {"fact": 1})
        self.assertEqual(parts.find("one", "key")["facts"], {"fact": 1})
        self.assertIsNone(parts.find("one", "another key"))
        with open(parts.path("one"), "w", encoding="utf-8") as file:
            file.write('{"key": "key", "measure')
        self.assertIsNone(parts.find("one", "key"))
        parts.remove()
        self.assertFalse(os.path.exists(parts.folder))

    def test_strange_runs(self):
        path = os.path.join(self.folder.name, "run.json")
        for text in ("", "[]", "{}", '{"format": 2, "measurements": []}', '{"format": 1, "measurements": {}}', "\x00"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            with self.subTest(text=text), self.assertRaises(Problem) as caught:
                store.load_run(path)
            self.assertNotIn("\n", str(caught.exception))

    def test_full_disk_is_one_line(self):
        with mock.patch("builtins.open", side_effect=OSError(28, "No space left on device")):
            with self.assertRaises(Problem) as caught:
                store.write_json("/x/y.json", {})
        self.assertEqual(str(caught.exception), "/x/y.json: No space left on device")

    def test_median_and_spread(self):
        def one(value):
            return {"mode": "wall-1", "column": "lintel", "row": "x", "group": "ipc", "value": value}
        whole = store.combine([one(5), one(1), one(3), {**one(0), "row": "y"}])
        self.assertEqual((whole[0]["value"], whole[0]["least"], whole[0]["most"], whole[0]["times"]), (3, 1, 5, 3))
        self.assertNotIn("least", whole[1])


class Guests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.log = os.path.join(self.folder.name, "log")

    def guest(self, script, seconds=20, on_line=lambda line: False):
        return guests.run_guest(["/bin/sh", "-c", script], self.log, seconds, on_line)

    def refused(self, why, *arguments, **more):
        with self.assertRaises(Problem) as caught:
            self.guest(*arguments, **more)
        self.assertIn(why, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_lines_arrive(self):
        seen = []
        self.guest("printf 'a\\r\\nb\\n'", on_line=lambda line: seen.append(line))
        self.assertEqual(seen, ["a", "b"])

    def test_ended_early(self):
        self.guest("echo over; exec sleep 60", on_line=lambda line: line == "over")

    def test_hangs_and_deaths(self):
        self.refused("not over after 1 s; its last line: here", "echo here; exec sleep 60", seconds=1)
        self.refused("ended by signal 9", "kill -9 $$")
        self.refused("cannot share the memory", "echo 'qemu-system-x86_64: cannot share the memory' >&2; exit 1")
        with self.assertRaises(Problem):
            guests.run_guest(["/no/such/qemu"], self.log, 5, lambda line: False)

    def test_same_machine_for_both(self):
        with mock.patch.object(guests.accel, "find_kvm", return_value=(None, "no")):
            ours = guests.lintel_command(self.folder.name, self.folder.name, "bench", True, 1)
            peer = guests.linux_command(self.folder.name, self.folder.name, "vmlinuz", "initrd", "lean", True, 1)
        for word in ("tcg,thread=single", "shift=0,sleep=off", "max,-erms", "1"):
            self.assertIn(word, ours)
            self.assertIn(word, peer)
        self.assertIn("mitigations=off init_on_alloc=0", peer[-1])


class Partial(unittest.TestCase):
    """A whole session whose boots are shell scripts."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name in ("kernel.elf", "boot.tar"):
            with open(os.path.join(self.folder.name, name), "w", encoding="ascii"):
                pass

    def session(self, scripts):
        jobs = [a_job(name) for name in scripts]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), \
                mock.patch.object(session.report, "draw", return_value=""), \
                mock.patch.object(session, "qemu_version", return_value="QEMU"), \
                mock.patch.object(session.Session, "command", lambda _, job: ["/bin/sh", "-c", scripts[job.name]]):
            one = session.Session(self.folder.name)
            one.run(jobs)
        return one

    def test_continues_after_a_failure(self):
        count = os.path.join(self.folder.name, "count")
        good = f"echo x >>{count}; echo '{ROW}'"
        first = self.session({"good": good, "bad": "kill -9 $$"})
        self.assertEqual(len(first.problems), 1)
        self.assertEqual(len(store.load_run(os.path.join(first.folder, "results.json"))["measurements"]), 1)
        second = self.session({"good": good, "bad": "kill -9 $$"})
        self.assertEqual(second.reused, 1)
        third = self.session({"good": good})
        self.assertEqual((third.reused, third.problems), (1, []))
        self.session({"good": good})  # a finished run leaves no parts: measured anew
        with open(count, encoding="ascii") as file:
            self.assertEqual(len(file.readlines()), 2)


class Archives(unittest.TestCase):
    def test_newc(self):
        data = initramfs.build_job("bench\n")
        self.assertEqual(data[:6], b"070701")
        self.assertEqual(len(data) % 512, 0)
        self.assertIn(b"job.sh\0", data)
        self.assertIn(b"TRAILER!!!\0", data)

    def test_modules_come_after_what_they_need(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            for name, needs in (("a", b"b,c"), ("b", b"c"), ("c", b""), ("d", b"a,built_in")):
                paths[name] = os.path.join(folder, name + ".ko")
                with open(paths[name], "wb") as file:
                    file.write(b"ELF\0license=GPL\0depends=" + needs + b"\0")
            ordered = initramfs.order_modules(paths, ("d", "a"))
        self.assertEqual([os.path.basename(path)[0] for path in ordered], ["c", "b", "a", "d"])


class Cache(unittest.TestCase):
    def test_no_network_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder}), \
                mock.patch.object(packages, "try_fetch", return_value="Temporary failure resolving 'deb.debian.org'"), \
                self.assertRaises(Problem) as caught:
            packages.prepare_packages(lambda line: None)
        self.assertIn("Temporary failure resolving", str(caught.exception))
        self.assertIn("Linux is left out", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
