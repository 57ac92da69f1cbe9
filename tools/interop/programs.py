# SPDX-License-Identifier: BSD-2-Clause
"""programs.py - what is run of each program, on files in /pmem, and what its own words must be afterwards."""
import glob
import os
import re
import subprocess
import tempfile

FUZZ_CASES = {"fuzzdata1.db": 9917, "fuzzdata2.db": 9959, "fuzzdata3.db": 2316, "fuzzdata4.db": 2575,
              "fuzzdata5.db": 8834, "fuzzdata6.db": 3896, "fuzzdata7.db": 8145, "fuzzdata8.db": 575}  # of SQLite 3.40.1
CASE_SECONDS = 600  # fuzzcheck's own limit for one case; an emulator needs more than its two minutes
HOST_SECONDS = 1800
HASH = r"^Verification Hash: (.*)$"


class Wrong(Exception):
    """What a program did not do as it must: one line."""


def need(pattern, output):
    found = re.search(pattern, output, re.M)
    if not found:
        raise Wrong(f"its output has no {pattern!r}")
    return found


class Program:
    """A program of `folder`, what it is given, and its judge."""
    name = ""
    pmem = "128M"
    seconds = 3600  # a hang detector, not a target

    def __init__(self, folder):
        self.folder = folder

    def binary(self):
        return os.path.join(self.folder, "bin", self.name)

    def on_host(self, arguments):
        """What the same sources print on the build machine."""
        result = subprocess.run([os.path.join(self.folder, "host", self.name), *arguments], capture_output=True, text=True,
                                timeout=HOST_SECONDS, check=True)
        return result.stdout

    def data(self):
        """Files that come with it."""
        return []

    def texts(self):
        """Files that are written for it: name -> text."""
        return {}

    def script(self):
        raise NotImplementedError

    def judge(self, output):
        """One line of what it did, or Wrong."""
        raise NotImplementedError


class Speedtest(Program):
    """SQLite's benchmark, with each way that SQLite has to a file. With --verify it ends with a hash over all that its
    queries gave: it must be the one that the same sources give on the build machine."""
    name = "speedtest1"
    MODES = {"journal": "", "WAL": "--journal wal ", "mmap": "--mmap 268435456 "}

    def __init__(self, folder, size):
        super().__init__(folder)
        self.size = size

    def script(self):
        return "; ".join(f"run /extra/speedtest1 {words}--size {self.size} --verify /pmem/{mode}.db"
                         for mode, words in self.MODES.items())

    def host_hash(self):
        with tempfile.TemporaryDirectory() as folder:
            output = self.on_host(["--size", str(self.size), "--verify", os.path.join(folder, "speedtest1.db")])
        return need(HASH, output).group(1)

    def judge(self, output):
        wanted = self.host_hash()
        got, times = re.findall(HASH, output, re.M), re.findall(r"TOTAL\.+ +(\S+)s$", output, re.M)
        if len(got) != len(self.MODES) or len(times) != len(self.MODES):
            raise Wrong(f"{len(got)} of {len(self.MODES)} runs came to their end")
        for mode, each in zip(self.MODES, got):
            if each != wanted:
                raise Wrong(f"the hash of its results with {mode} is {each}; on the build machine it is {wanted}")
        told = ", ".join(f"{time} s with {mode}" for mode, time in zip(self.MODES, times))
        return f"size {self.size} in {told}; results as on the build machine"


class Fuzzcheck(Program):
    """SQLite's collection of inputs that fuzzers found. It ends at the first case that crashes, asserts or leaks."""
    name = "fuzzcheck"
    pmem = "256M"
    seconds = 4 * 3600

    def __init__(self, folder, databases):
        super().__init__(folder)
        self.databases = databases

    def data(self):
        return [os.path.join(self.folder, "sqlite3", "test", name) for name in self.databases]

    def script(self):
        names = " ".join(self.databases)
        return f"cd /extra; cp {names} /pmem; cd /pmem; run /extra/fuzzcheck --timeout {CASE_SECONDS * 1000} {names}"

    def judge(self, output):
        found = need(r"^fuzzcheck: 0 errors out of (\d+) tests in (\S+) seconds", output)
        wanted = sum(FUZZ_CASES[name] for name in self.databases)
        if int(found.group(1)) != wanted:
            raise Wrong(f"{found.group(1)} cases, not {wanted}")
        return f"0 errors in {wanted:,} cases of {len(self.databases)} databases, {found.group(2)} s"


class Postmark(Program):
    """Katcher's PostMark, through stdio and through read() and write(). What it does is decided by its seed, so the counts
    and sizes of its reports must be those of the build machine; only the times are Lintel's own."""
    name = "postmark"
    pmem = "1G"
    CONFIG = """set location {location}
set number {files}
set transactions {transactions}
run
set buffering false
run
quit
"""

    def __init__(self, folder, files, transactions):
        super().__init__(folder)
        self.files = files
        self.transactions = transactions

    def config(self, location):
        return self.CONFIG.format(location=location, files=self.files, transactions=self.transactions)

    def texts(self):
        return {"postmark.conf": self.config("/pmem/postmark")}

    def script(self):
        return "mkdir /pmem/postmark; run /extra/postmark /extra/postmark.conf; rmdir /pmem/postmark"

    def host_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "postmark.conf")
            with open(config, "w", encoding="ascii") as file:
                file.write(self.config(folder))
            return self.counts(self.on_host([config]))

    @staticmethod
    def counts(output):
        """The lines of its reports, without rates."""
        return re.findall(r"^\t+((?:[A-Z].*: )?[\d.]+ (?:files|created|read|appended|deleted|\w+bytes (?:read|written)))\b",
                          output, re.M)

    def judge(self, output):
        """That its folder is empty in the end, rmdir has shown."""
        got, wanted = self.counts(output), self.host_counts()
        if got != wanted or not wanted:
            differ = [f"{a}, not {b}" for a, b in zip(got, wanted) if a != b]
            raise Wrong("its reports differ from the build machine's: " + (differ + ["lines are missing"])[0])
        seconds = re.findall(r"^\t(\d+) seconds of transactions", output, re.M)
        return (f"{self.files:,} files, {self.transactions:,} transactions in {seconds[0]} s by stdio and {seconds[1]} s by "
                "read and write, counts as on the build machine")


def whole(folder):
    databases = sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, "sqlite3/test/fuzzdata*.db")))
    return [Postmark(folder, 1000, 50000), Postmark(folder, 20000, 50000), Speedtest(folder, 100),
            Fuzzcheck(folder, databases)]


def sample(folder):
    return [Postmark(folder, 500, 2000), Speedtest(folder, 5), Fuzzcheck(folder, ["fuzzdata3.db", "fuzzdata4.db"])]
