# SPDX-License-Identifier: BSD-2-Clause
"""boots.py - one boot in QEMU for a test: a script in, status and output back; a hang is noticed and ended.

    from testing.boots import boot
    result = boot("pmfs-full", "bench; df", CPUS="4", PMEM="16M")
    assert result.status == 0 and "16M" in result.output

Each boot has a folder of its own, BUILD/test/NAME/, with its pmem image (fresh, unless keep=True) and its log."""
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

BOOT_SECONDS = 240  # a hang detector, not a target
TOOL = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run")


@dataclass
class Boot:
    status: int  # the guest's; None: it hung
    output: str
    log: str

    def panic(self):
        """The line with which the kernel gave up, or ''."""
        return next((line for line in self.output.splitlines() if "panic" in line.lower()), "")

    def why(self):
        """In one line, what went wrong."""
        if self.panic():
            return f"{self.panic().strip()} (log: {self.log})"
        if self.status is None:
            return f"hangs (log: {self.log})"
        lines = [line for line in self.output.strip().splitlines() if line.strip()] or ["no output"]
        return f"status {self.status}, last line: {lines[-1].strip()} (log: {self.log})"


def build_folder():
    return os.environ.get("LINTEL_BUILD", "build/release")


def test_folder(name):
    folder = os.path.join(build_folder(), "test", name)
    os.makedirs(folder, exist_ok=True)
    return folder


def boot(name, script, build=None, keep=False, seconds=BOOT_SECONDS, **variables):
    """Boot with the variables of `make run` (CPUS, MEM, BOOT, CPU, EXTRA, ...); `keep` the pmem image of the last boot
    of that name. PMEM is 64M and ACCEL what the tests run with, if not given."""
    folder = test_folder(name)
    words = {"BUILD": build or build_folder(), "PMEM": "64M", "PMEM_FILE": os.path.join(folder, "pmem.img"),
             "ACCEL": os.environ.get("LINTEL_ACCEL", "tcg"), "SCRIPT": script}
    words.update(variables)
    if keep and os.path.exists(words["PMEM_FILE"]):
        words["PMEM"] = variables.get("PMEM", "")
    elif not keep and "PMEM_FILE" not in variables and os.path.exists(words["PMEM_FILE"]):
        os.unlink(words["PMEM_FILE"])
    log = os.path.join(folder, "serial.log")
    command = [sys.executable, TOOL] + [f"{key}={value}" for key, value in words.items()]
    with open(log, "w+", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        except BaseException:
            end(process)
            raise
        if status is None:
            end(process)
        file.seek(0)
        return Boot(status, file.read().replace("\r", ""), log)


def end(process):
    """tools/run and its QEMU are one process group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
