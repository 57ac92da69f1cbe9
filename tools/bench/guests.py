# SPDX-License-Identifier: BSD-2-Clause
"""guests.py - one boot of one system: QEMU's command line, running it, its output line by line, its time limit."""
import os
import queue
import subprocess
import threading
import time

from bench.problem import Problem, last_line
from vm import accel
from vm.machine import build_command, explain
from vm.options import OptionError, parse_options

MEM = "2G"
MEM_BYTES = 2 << 30
PMEM = "1G"
PMEM_BYTES = 1 << 30
NVDIMMS = 2  # Linux has one more, so that two file systems can be there in one boot
LINES_KEPT = 60

# What Linux is told; the first is Linux at its best, the second as it comes.
LINUX_COMMON = "console=ttyS0 quiet panic=-1 rdinit=/init nokaslr norandmaps randomize_kstack_offset=off"
LINUX_LINES = {"lean": LINUX_COMMON + " mitigations=off init_on_alloc=0", "default": LINUX_COMMON}
LINUX_CPUS = {"lean": "max,-erms", "default": "max"}


def machine_words(exact, cpus):
    """Variables of `make run` that both systems' machines have in common."""
    words = {"MEM": MEM, "PMEM": PMEM, "CPUS": str(cpus)}
    return words | ({"ICOUNT": "1", "ACCEL": "auto"} if exact else {"ACCEL": "auto"})


def fresh_pmem(folder, number=0):
    path = os.path.join(folder, f"pmem{number}.img")
    if os.path.exists(path):
        os.unlink(path)
    return path


def lintel_command(build, folder, script, exact, cpus, more="", archive=""):
    """`more`: words for the kernel's command line; `archive`: another boot archive than the build's."""
    words = machine_words(exact, cpus) | {"BUILD": build, "PMEM_FILE": fresh_pmem(folder), "SCRIPT": script, "APPEND": more}
    words["CPU"] = "max,-erms" if exact else ""
    try:
        command = build_command(parse_options(words), lambda line: None)
    except OptionError as error:
        raise Problem(str(error)) from error
    if archive:
        command[command.index("-initrd") + 1] = archive
    return command


def linux_command(build, folder, kernel, initrd, variant, exact, cpus, more=""):
    """The same machine as Lintel's, but for kernel and archive; and a second NVDIMM."""
    words = machine_words(exact, cpus) | {"BUILD": build, "PMEM_FILE": fresh_pmem(folder)}
    words["CPU"] = LINUX_CPUS[variant] if exact else ""
    try:
        command = build_command(parse_options(words | {"SCRIPT": "true"}), lambda line: None)
    except OptionError as error:
        raise Problem(str(error)) from error
    path, size = fresh_pmem(folder, 1), 1 << 30
    try:
        with open(path, "wb") as file:
            file.truncate(size)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from error
    at = command.index("-m")
    command[at + 1] = f"{MEM},slots={NVDIMMS},maxmem=8G"
    place = command.index("nvdimm,memdev=pmem0,id=nvdimm0") + 1
    command[place:place] = ["-object", f"memory-backend-file,id=pmem1,share=on,mem-path={path},size={size}",
                            "-device", "nvdimm,memdev=pmem1,id=nvdimm1"]
    command[command.index("-kernel"):] = ["-kernel", kernel, "-initrd", initrd, "-append",
                                          LINUX_LINES[variant] + (" " + more if more else "")]
    return command


def read_lines(stream, lines):
    for line in stream:
        lines.put(line.rstrip("\r\n"))
    lines.put(None)


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_guest(command, log, seconds, on_line):
    """Boots it and hands each line to on_line(line) -> True to end the guest early. Returns seconds it took.
    Raises Problem: not started, not over in its time, ended by itself with an error."""
    started = time.monotonic()
    kept, stopped = [], False
    with open(log, "w", encoding="utf-8", buffering=1) as file, open(log + ".qemu", "w+", encoding="utf-8") as errors:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                                       errors="replace")
        except OSError as error:
            raise Problem(f"{command[0]} cannot be started: {error.strerror}") from error
        lines = queue.Queue()
        threading.Thread(target=read_lines, args=(process.stdout, lines), daemon=True).start()
        try:
            while True:
                left = started + seconds - time.monotonic()
                if left <= 0:
                    raise queue.Empty
                line = lines.get(timeout=left)
                if line is None:
                    break
                file.write(line + "\n")
                kept = kept[-LINES_KEPT:] + [line]
                if on_line(line):
                    stopped = True
                    break
        except queue.Empty:
            said = last_line("\n".join(kept), "nothing")
            raise Problem(f"not over after {seconds} s; its last line: {said} (log: {log})") from None
        finally:
            file.flush()
            if process.poll() is None and not (not stopped and lines.empty() and wait_briefly(process)):
                end(process)
            process.stdout.close()
        errors.seek(0)
        said = errors.read()
    check_status(process.returncode, stopped, said, log)
    return time.monotonic() - started


def wait_briefly(process):
    """QEMU has closed its output: it is about to end."""
    try:
        process.wait(5)
        return True
    except subprocess.TimeoutExpired:
        return False


def check_status(status, stopped, said, log):
    if stopped:
        return
    if status < 0:
        raise Problem(f"QEMU was ended by signal {-status} (log: {log})")
    complaints = [line for line in said.splitlines() if line.startswith(accel.QEMU) and "warning" not in line]
    if status == 1 and complaints:
        raise Problem(explain(status, said)[1])


def remove_pmem(folder):
    for number in range(NVDIMMS):
        path = os.path.join(folder, f"pmem{number}.img")
        if os.path.exists(path):
            os.unlink(path)
