# SPDX-License-Identifier: BSD-2-Clause
"""run.py - one program in a machine of its own, on a fresh file system, which must be sound afterwards."""
import contextlib
import os
import shutil
import subprocess
import sys
import threading

from interop.programs import Wrong
from testing.boots import boot, build_folder, test_folder


def pack(program, folder):
    """A boot archive with the program and its files as /extra."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    shutil.copy(program.binary(), os.path.join(folder, program.name))
    for path in program.data():
        shutil.copy(path, folder)
    for name, text in program.texts().items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)
    make = os.environ.get("MAKE", "make").split()
    archive = os.path.join(build_folder(), "extra", "boot.tar")
    subprocess.run(make + ["BUILD=" + build_folder(), "EXTRA=" + folder, archive], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def shown(log, wanted):
    """While it lasts, what comes into the file `log` appears on the terminal, if that is wanted."""
    end = threading.Event()

    def follow():
        at = 0
        while True:
            last = end.wait(0.5)
            with contextlib.suppress(FileNotFoundError), open(log, encoding="utf-8", errors="replace") as file:
                file.seek(at)
                sys.stdout.write(file.read().replace("\r", ""))
                sys.stdout.flush()
                at = file.tell()
            if last:
                return
    follower = threading.Thread(target=follow, daemon=True)
    if wanted:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)
        follower.start()
    try:
        yield
    finally:
        end.set()
        if wanted:
            follower.join()


def check_media(image):
    tool = os.path.join(build_folder(), "host", "fsck.pmfs")
    result = subprocess.run([tool, image], capture_output=True, text=True, check=False)
    if result.returncode:
        raise Wrong(f"fsck.pmfs finds afterwards: {(result.stdout + result.stderr).strip().splitlines()[-1]}")


def run(name, program, show=False):
    """One line of what it did; its logs are those of the test `name`. Raises Wrong."""
    folder = test_folder(name)
    pack(program, os.path.join(folder, "extra"))
    with shown(os.path.join(folder, "serial.log"), show):
        result = boot(name, program.script(), seconds=program.seconds, CPUS="2", MEM="2G", PMEM=program.pmem,
                      EXTRA=os.path.join(folder, "extra"))
    if result.status != 0 or result.panic():
        raise Wrong(result.why())
    line = program.judge(result.output)
    image = os.path.join(folder, "pmem.img")
    check_media(image)
    os.unlink(image)
    return line
