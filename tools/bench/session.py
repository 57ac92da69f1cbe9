# SPDX-License-Identifier: BSD-2-Clause
"""session.py - one run: its boots one after the other, progress, what goes wrong, and the report at the end.

Whatever happens (a peer that cannot be had, a guest that hangs, the keyboard), what has been measured is reported."""
import glob
import os
import platform
import re
import subprocess
import sys
import time

from bench import guests, native, packages, plan, report, store, tables
from bench.parse import Output
from bench.problem import Problem, explain_os
from meter import measure

NOT_SHOWN = (
    "Instructions are not time: cache and TLB misses, and what a switch of address space costs in them, do not count. "
    "Under the emulator wall time has a TLB cost unlike hardware's; only ratios are shown, and they are good to some ten "
    "percent. The NVDIMM is emulated by a file: no real media is measured, and flushing a cache line costs one instruction. "
    "On a machine where /dev/kvm works, the wall-time part runs under KVM by itself; on hardware, boot the same kernel and "
    "archive and run `bench` there.")


def tell(line):
    print(f"bench: {line}", flush=True)


class Session:
    def __init__(self, build, save="", quick=False, programs="build/interop"):
        self.build, self.save, self.quick, self.programs = build, save, quick, programs
        self.folder = os.path.join(build, "bench")
        self.problems, self.measurements, self.facts = [], [], {}
        self.commands, self.budgets = {}, []
        self.linux = self.applications = None
        self.reused, self.jobs = 0, []
        self.started = time.time()
        self.interrupted = False
        try:
            os.makedirs(self.folder, exist_ok=True)
        except OSError as error:
            raise Problem(explain_os(error, self.folder)) from error
        self.parts = store.Parts(self.folder)

    def problem(self, text):
        self.problems.append(text)
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def run(self, jobs):
        self.jobs = jobs
        try:
            if any(job.system == "linux" for job in jobs):
                self.prepare_linux()
            if any(job.applications for job in jobs):
                self.prepare_applications()
            self.lintel_key = store.digest_files([os.path.join(self.build, name) for name in ("kernel.elf", "boot.tar")])
            for number, job in enumerate(jobs, 1):
                if self.can_run(job):
                    self.run_job(job, f"[{number}/{len(jobs)}]")
        except KeyboardInterrupt:
            self.interrupted = True
            self.problem("interrupted; the same command goes on from here")
        except Problem as problem:
            self.problem(str(problem))
        guests.remove_pmem(self.folder)
        if not self.interrupted:
            self.look_from_outside()
        self.finish()

    def prepare_linux(self):
        try:
            self.linux = native.LinuxGuest(packages.prepare_packages(tell), self.folder)
        except Problem as problem:
            self.problem(str(problem))
        except OSError as error:
            self.problem(f"{explain_os(error, self.folder)}; Linux is left out")

    def prepare_applications(self):
        try:
            self.applications = native.Applications(self.programs, self.build, self.folder)
            if self.applications.missing:
                self.problem(f"PostMark and SQLite are left out: {self.applications.missing} is missing (make bench-programs)")
        except Problem as problem:
            self.problem(str(problem))
        except OSError as error:
            self.problem(f"{explain_os(error, self.folder)}; programs of others and the file tree are left out")

    def can_run(self, job):
        """Else it has been said why not."""
        if job.system == "linux" and self.linux is None:
            return False
        if job.applications and self.applications is None:
            return False
        return not (job.programs and self.applications.missing)

    def command(self, job):
        if job.system == "lintel":
            return guests.lintel_command(self.build, self.folder, job.text, job.exact(), job.cpus(), job.more,
                                         self.applications.archive if job.applications else "")
        return guests.linux_command(self.build, self.folder, self.linux.packages.kernel(), self.linux.initrd(job, self.applications),
                                    job.variant, job.exact(), job.cpus(), job.more)

    def key(self, job, command):
        """Of everything that makes a boot what it is."""
        parts = [self.lintel_key if job.system == "lintel" else self.linux.key, job.text, " ".join(command), qemu_version()]
        return store.digest_text(*parts, *([self.applications.keys[job.system]] if job.applications else []))

    def run_job(self, job, place):
        try:
            command = self.command(job)
        except Problem as problem:
            self.problem(f"{job.name}: {problem}")
            return
        key = self.key(job, command)
        part = self.parts.find(job.name, key)
        if part is not None:
            self.reused += 1
            tell(f"{place} {job.name}: {len(part['measurements'])} figures are there from {part['made']}")
        else:
            part = self.boot(job, place, command, key)
        if part is not None:
            self.measurements += part["measurements"]
            ending = "_" + plan.LEAST_MEM if job.only_facts else ""
            self.facts.setdefault(job.variant, {}).update({name + ending: value for name, value in part["facts"].items()})
            self.commands.setdefault(f"{job.variant}, {job.mode}", self.portable(command))

    def portable(self, command):
        """The command without this machine's folders."""
        line = " ".join(command)
        return line.replace(packages.cache_folder(), "CACHE").replace(self.folder, "BUILD/bench").replace(self.build, "BUILD")

    def boot(self, job, place, command, key):
        """The part, kept; after a failure what there is, not kept."""
        output = Output(job)
        progress = Progress(f"{place} {job.name}")

        def on_line(line):
            over = output.take(line)
            progress.show(len(output.measurements))
            return over

        log = os.path.join(self.folder, job.name + ".log")
        failed = True
        try:
            seconds = guests.run_guest(command, log, job.seconds, on_line)
            why = output.incomplete()
            failed = bool(why or output.problems)
            if why:
                self.problem(f"{job.name}: {why} (log: {log})")
            else:
                progress.end(f"{len(output.measurements)} figures in {seconds:.0f} s")
        except Problem as problem:
            self.problem(f"{job.name}: {problem}")
        except OSError as error:
            self.problem(f"{job.name}: {explain_os(error, log)}")
        for line in output.problems:
            self.problem(f"{job.name}: {line}")
        if failed:
            return {"measurements": output.measurements, "facts": output.facts}
        try:
            return self.parts.keep(job.name, key, output.measurements, output.facts)
        except Problem as problem:
            self.problem(str(problem))
            return {"measurements": output.measurements, "facts": output.facts}

    def look_from_outside(self):
        """Lintel's calls once more, under the plugin: where their instructions go, what they cost two CPUs."""
        rows = [one for one in self.measurements if one["column"] == "lintel" and one["group"] == "ipc"
                and one["mode"] == "exact" and "value" in one]
        if not rows:
            return
        try:
            self.budgets = [budget.as_json() for budget in measure.budgets(self.build, measure.BUDGET_ROWS)]
            costs = measure.costs(self.build, [one["row"] for one in rows])
        except Problem as problem:
            self.problem(f"no budget of the door path: {problem}")
            return
        for one in rows:
            one.update(costs.get(one["row"], {}))
        tell(f"looked from outside at {len(rows)} rows with {measure.CPUS} CPUs, at {len(self.budgets)} with one")

    def describe(self):
        """The machine, versions, command lines, sources."""
        sources = native.bench_sources() + sorted(glob.glob("tests/bench/lintel/*.[ch]") + glob.glob("tests/bench/*.h"))
        machine = {
            "host": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs",
            "QEMU": qemu_version(), "Lintel": git_revision(), "benchmark sources, SHA-256": store.digest_files(sources),
            "Linux compiled with": native.LINUX_LINE,
            "tables": "guest instructions per operation; least of 5 repetitions (quick: 3; whole programs: 2)",
        }
        if self.linux is not None:
            wanted = ("linux-image", "e2fsprogs", "xfsprogs", "ndctl", "libfuse3-dev", "libc6 ")
            machine["Linux"] = self.linux.packages.release()
            machine["packages"] = "; ".join(name for name in self.linux.packages.names if name.startswith(wanted))
            machine.update(mount_lines())
        machine.update({f"command: {name}": text for name, text in self.commands.items()})
        return machine

    def add_boot_rows(self):
        """Facts of the boots as rows of the group boot."""
        names = {"first_instruction_ns": "power-on to the first user instruction", "memory_used_bytes": "memory used at idle, bytes",
                 "memory_hidden_bytes": "memory that never shows as total, bytes",
                 "metadata_per_gib_bytes": "what the kernel keeps per GiB of RAM, bytes",
                 "image_bytes": "kernel image as it is loaded, bytes"}
        add_differences(self.facts)
        self.facts.setdefault("lintel", {})["image_bytes"] = file_bytes(os.path.join(self.build, "kernel.elf"))
        if self.linux is not None:
            self.facts.setdefault("lean", {})["image_bytes"] = file_bytes(self.linux.packages.kernel())
        if not any(one["group"] == "boot" for one in self.measurements):
            return
        for variant, facts in self.facts.items():
            for name, what in names.items():
                if name in facts:
                    self.measurements.append({"mode": "exact", "column": variant, "row": name, "group": "boot", "what": what,
                                              "value": facts[name], "unit": "insn" if name.endswith("_ns") else "bytes"})

    def finish(self):
        self.add_boot_rows()
        run = {"format": store.FORMAT, "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
               "seconds": round(time.time() - self.started), "quick": self.quick, "machine": self.describe(),
               "not_shown": NOT_SHOWN, "problems": self.problems, "measurements": store.combine(self.measurements), "budgets": self.budgets}
        print()
        print(tables.run_text(run), end="", flush=True)
        try:
            self.write(run)
        except (Problem, OSError) as error:
            self.problem(str(error))
        if not self.problems:
            self.parts.remove([job.name for job in self.jobs if not plan.is_kept(job)])

    def write(self, run):
        target = self.save or os.path.join(self.folder, "results.json")
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        store.write_json(target, run)
        for name, text in (("results.csv", tables.run_csv(run)), ("tables.txt", tables.run_text(run))):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        page = os.path.join(self.folder, "index.html")
        why = report.write_page(run, target, page)
        if why:
            tell(why)
        tell(f"figures: {target}, {os.path.join(self.folder, 'results.csv')}; drawn: {page}")


class Progress:
    """On a terminal one line that is rewritten; else a line at the end."""

    def __init__(self, title):
        self.title = title
        self.live = sys.stdout.isatty()
        self.shown = 0.0

    def show(self, count):
        if self.live and time.monotonic() - self.shown > 0.2:
            self.shown = time.monotonic()
            print(f"\r\033[Kbench: {self.title}: {count} figures", end="", flush=True)

    def end(self, text):
        if self.live:
            print("\r\033[K", end="")
        tell(f"{self.title}: {text}")


def add_differences(facts):
    """What Linux keeps of each GiB: what a GiB more adds to what it shows as total. Lintel tells by itself (`zones`)."""
    for known in facts.values():
        total, less = known.get("memory_total_bytes"), known.get("memory_total_bytes_" + plan.LEAST_MEM)
        if total:
            known["memory_hidden_bytes"] = guests.MEM_BYTES - total
        if total and less:
            known["metadata_per_gib_bytes"] = (1 << 30) - (total - less)


def file_bytes(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def qemu_version():
    try:
        result = subprocess.run([guests.accel.QEMU, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Problem(f"{guests.accel.QEMU} cannot be started: {error.strerror}") from error
    return result.stdout.split("\n")[0]


def git_revision():
    result = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


def mount_lines():
    """The mkfs and mount commands as the guest's script has them."""
    with open("tests/bench/linux/guest/init.sh", encoding="utf-8") as file:
        text = file.read()
    found = re.findall(r"(mkfs\.\w+ [^&|;]*|mount -t (?:ext4|xfs|tmpfs) [^&|;}]*|fuse_\w+ [^>]*)", text)
    return {"file systems": "; ".join(" ".join(line.split()) for line in found)}
