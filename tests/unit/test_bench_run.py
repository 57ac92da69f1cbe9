# SPDX-License-Identifier: BSD-2-Clause
"""test_bench_run.py - reading a guest's output, what is booted, going on after an interruption, saved runs, the guest's
archive, guests that hang or die. Boots nothing: shell scripts stand in for QEMU."""
import io
import os
import signal
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

    def test_facts_of_lintel(self):
        output = Output(a_job())
        for line in ("[   0.016] init[1]: first user instruction at TSC 32416161",
                     "ram0   RAM      0          0x0  1.9 GiB  3.0 MiB    1,024      3  48.0 KiB  24.0 KiB",
                     "pmem0  PMEM     0  0x100000000  1.0 GiB  1.0 GiB      512      0  4.0 KiB   4.0 KiB"):
            output.take(line)
        self.assertEqual(output.facts, {"first_instruction_ns": 32416161, "metadata_per_gib_bytes": 24 << 10})

    def test_what_a_gib_more_costs(self):
        facts = {"lean": {"memory_total_bytes": (2 << 30) - 150, "memory_total_bytes_1g": (1 << 30) - 130}, "lintel": {}}
        session.add_differences(facts)
        self.assertEqual((facts["lean"]["memory_hidden_bytes"], facts["lean"]["metadata_per_gib_bytes"]), (150, 20))
        self.assertEqual(facts["lintel"], {})

    def test_a_boot_that_is_not_over(self):
        linux, lintel = Output(a_job(system="linux")), Output(a_job())
        self.assertIn("without a figure", linux.incomplete())
        for output in (linux, lintel):
            output.take(ROW)
        self.assertIn("before its work did, after 1 figures", linux.incomplete())
        self.assertEqual(lintel.incomplete(), "")
        linux.take("bench: end")
        self.assertEqual(linux.incomplete(), "")

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

    def test_programs_of_others(self):
        jobs = plan.exact_jobs(("programs",))
        self.assertTrue(any(job.applications and "speedtest1_wal" in job.text for job in jobs if job.system == "linux"))
        self.assertTrue(any(job.applications and "postmark_whole" in job.text for job in jobs if job.system == "lintel"))
        self.assertFalse(any(job.applications for job in plan.exact_jobs(("files", "ipc"))))

    def test_a_second_cpu_is_asked_of_two_only(self):
        for job in plan.wall_jobs(plan.GROUPS):
            self.assertEqual("munmap_shared_1," in job.text and "scale_read_2" in job.text, job.cpus() == 2, job.name)

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
        parts.keep("one", "key", [], {})
        parts.keep("two", "key", [], {})
        parts.remove(["one", "never made"])
        self.assertIsNone(parts.find("one", "key"))
        self.assertRegex(parts.find("two", "key")["made"], r"^\d{4}-\d\d-\d\dT")

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

    def session(self, scripts, system="lintel", **more):
        jobs = [a_job(name, system) for name in scripts]
        linux = mock.Mock(key="linux", **{"packages.kernel.return_value": "/no/vmlinuz"})
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), \
                mock.patch.object(session.report, "draw", return_value=""), \
                mock.patch.object(session.native, "LinuxGuest", return_value=linux), \
                mock.patch.object(session.packages, "prepare_packages"), \
                mock.patch.object(session, "qemu_version", return_value="QEMU"), \
                mock.patch.object(session.Session, "describe", return_value={}), \
                mock.patch.object(session.Session, "command", lambda _, job: ["/bin/sh", "-c", scripts[job.name]]):
            one = session.Session(self.folder.name, **more)
            one.run(jobs)
        return one

    def results(self, one):
        return store.load_run(os.path.join(one.folder, "results.json"))

    def times_run(self, name):
        with open(os.path.join(self.folder.name, name), encoding="ascii") as file:
            return len(file.readlines())

    def test_linux_is_booted_once(self):
        good = f"echo x >>{self.folder.name}/count; echo '{ROW}'; echo 'bench: end'"
        self.assertEqual(self.session({"good": good}, "linux").problems, [])
        second = self.session({"good": good}, "linux")
        self.assertEqual((second.reused, self.times_run("count")), (1, 1))
        self.assertEqual(len(self.results(second)["measurements"]), 1)
        self.session({"good": good + " # other commands"}, "linux")
        self.assertEqual(self.times_run("count"), 2)

    def test_a_boot_that_broke_off_is_made_again(self):
        for number, end in enumerate(("", "; echo 'Kernel panic - not syncing'; echo 'bench: end'",
                                      "; echo 'bench: problem: ext4'; echo 'bench: end'"), 1):
            broken = f"echo x >>{self.folder.name}/broken; echo '{ROW}'{end}"
            with self.subTest(end=end):
                first = self.session({"one": broken}, "linux")
                self.assertEqual((len(first.problems), len(self.results(first)["measurements"])), (1, 1))
                self.assertEqual(self.session({"one": broken}, "linux").reused, 0)
                self.assertEqual(self.times_run("broken"), 2 * number)

    def test_interrupted(self):
        """What has been measured is reported, and the next run goes on from there."""
        scripts = {"good": f"echo '{ROW}'", "second": f"kill -INT {os.getpid()}; sleep 20"}
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
        self.addCleanup(signal.signal, signal.SIGINT, before)
        one = self.session(scripts)
        self.assertEqual(one.problems, ["interrupted; the same command goes on from here"])
        self.assertEqual(len(self.results(one)["measurements"]), 1)
        self.assertEqual(self.session({"good": scripts["good"]}).reused, 1)

    def test_a_guest_that_hangs_does_not_hold_up_the_others(self):
        jobs = {"hangs": f"echo '{ROW}'; exec sleep 60", "good": f"echo '{ROW}'; echo 'bench: end'"}
        with mock.patch.object(guests, "run_guest", side_effect=lambda command, log, _, on_line, run=guests.run_guest: run(
                command, log, 1 if "hangs" in log else 20, on_line)):
            one = self.session(jobs, "linux")
        self.assertEqual(len(one.problems), 1)
        self.assertIn("hangs: not over after 1 s; its last line: {", one.problems[0])
        self.assertEqual(self.session({"good": jobs["good"]}, "linux").reused, 1)

    def test_without_linux(self):
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), \
                mock.patch.object(session.report, "draw", return_value=""), \
                mock.patch.object(session, "qemu_version", return_value="QEMU"), \
                mock.patch.object(session.packages, "prepare_packages", side_effect=Problem("no network; Linux is left out")), \
                mock.patch.object(session.Session, "command", lambda *_: ["/bin/sh", "-c", f"echo '{ROW}'"]):
            one = session.Session(self.folder.name)
            one.run([a_job("lintel"), a_job("linux", "linux")])
        self.assertEqual(one.problems, ["no network; Linux is left out"])
        self.assertEqual([row["column"] for row in self.results(one)["measurements"]], ["lintel.pmem"])

    def test_nowhere_to_save(self):
        one = self.session({"good": f"echo '{ROW}'"}, save="/proc/no/run.json")
        self.assertEqual(len(one.problems), 1)
        self.assertNotIn("\n", one.problems[0])

    def test_full_disk(self):
        with mock.patch.object(session.guests, "open", side_effect=OSError(28, "No space left on device"), create=True):
            one = self.session({"good": f"echo '{ROW}'"})
        self.assertEqual(len(one.problems), 1)
        self.assertIn("No space left on device", one.problems[0])
        self.assertEqual(self.results(one)["measurements"], [])

    def test_programs_of_others_are_missing(self):
        programs, tree = a_job("programs"), a_job("tree")
        programs.applications = programs.programs = tree.applications = True
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), \
                mock.patch.object(session.report, "draw", return_value=""), \
                mock.patch.object(session.native, "pack_lintel"), \
                mock.patch.object(session, "qemu_version", return_value="QEMU"), \
                mock.patch.object(session.Session, "command", lambda *_: ["/bin/sh", "-c", f"echo '{ROW}'"]):
            one = session.Session(self.folder.name, programs="/no/such")
            one.run([programs, tree])
        self.assertEqual(one.problems, ["PostMark and SQLite are left out: /no/such/bin/postmark is missing "
                                        "(make bench-programs)"])
        self.assertEqual(os.listdir(one.parts.folder), ["tree.json"])

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


class ProgramsOfOthers(unittest.TestCase):
    def made(self, folder):
        with mock.patch.object(session.native, "pack_lintel"):
            return session.native.Applications(folder, folder, folder)

    def test_what_a_boot_depends_on(self):
        """A new Lintel program does not boot Linux anew."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bin/postmark", "bin/speedtest1", "linux/postmark", "linux/speedtest1", "tree/tree.tar"):
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(name)
            one = self.made(folder)
            with open(os.path.join(folder, "bin/postmark"), "a", encoding="ascii") as file:
                file.write("new")
            two = self.made(folder)
            self.assertEqual((one.missing, one.keys["linux"]), ("", two.keys["linux"]))
            self.assertNotEqual(one.keys["lintel"], two.keys["lintel"])
            os.unlink(os.path.join(folder, "linux/speedtest1"))
            three = self.made(folder)
            self.assertTrue(three.missing.endswith("linux/speedtest1"))
            self.assertNotEqual(three.keys["linux"], two.keys["linux"])
            self.assertIn(b"tree.tar\0", three.initrd)


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
    def test_a_package_that_is_missing_is_one_line(self):
        said = mock.Mock(returncode=100, stderr="Reading lists\nE: Unable to locate package ndctl\nE: more\n", stdout="")
        kernel = mock.Mock(returncode=0, stderr="", stdout="  Depends: linux-image-6.1.0-56-amd64\n")
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder}), \
                mock.patch.object(packages, "run_apt", side_effect=lambda command, *_: kernel if "depends" in command else said), \
                self.assertRaises(Problem) as caught:
            packages.prepare_packages(lambda line: None)
        self.assertIn("cannot be fetched: Unable to locate package ndctl", str(caught.exception))

    def test_a_cache_that_lacks_a_file_says_which(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(Problem) as caught:
            packages.Packages(folder, []).path("sbin/mkfs.xfs")
        self.assertIn("sbin/mkfs.xfs is missing from the cache: remove", str(caught.exception))

    def test_no_network_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder}), \
                mock.patch.object(packages, "try_fetch", return_value="Temporary failure resolving 'deb.debian.org'"), \
                self.assertRaises(Problem) as caught:
            packages.prepare_packages(lambda line: None)
        self.assertIn("Temporary failure resolving", str(caught.exception))
        self.assertIn("Linux is left out", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
