# SPDX-License-Identifier: BSD-2-Clause
"""native.py - what is compiled on this machine for the Linux guest: the benchmark, static, from the same sources as
Lintel's; the FUSE servers against the fetched libfuse3; the guest's first program."""
import glob
import os
import shutil
import subprocess
import sys

from bench import initramfs
from bench.problem import Problem, last_line
from bench.store import digest_files, digest_text

FLAGS = ["-std=gnu17", "-O2", "-D_GNU_SOURCE", "-static"]
LINUX_LINE = "gcc " + " ".join(FLAGS)


def bench_sources():
    """The sources of Linux's benchmark; all but linux/ are Lintel's too."""
    return sorted(glob.glob("tests/bench/*.c")) + sorted(glob.glob("tests/bench/linux/*.c"))


def compile_program(output, sources, *more):
    command = ["gcc", *FLAGS, "-o", output, *sources, *more, "-lpthread"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise Problem(f"gcc cannot be started: {error.strerror}; Linux is left out") from error
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "error" in line] or [last_line(result.stderr)]
        raise Problem(f"{os.path.basename(output)} for Linux does not compile: {errors[0].strip()}; Linux is left out")


def compile_all(packages, folder):
    """Paths of the programs -> their names in the guest."""
    os.makedirs(folder, exist_ok=True)
    names = {"first": "init", "tiny": "bin/tiny", "bench": "bin/bench", "fuse_memory": "bin/fuse_memory",
             "fuse_passthrough": "bin/fuse_passthrough"}
    paths = {name: os.path.join(folder, name) for name in names}
    fuse = ["-D_FILE_OFFSET_BITS=64", "-I" + packages.path("usr/include/fuse3"), "-w",
            packages.path("usr/lib/x86_64-linux-gnu/libfuse3.a")]
    compile_program(paths["bench"], bench_sources())
    for name in ("first", "tiny"):
        compile_program(paths[name], [f"tests/bench/linux/guest/{name}.c"], "-nostdlib", "-ffreestanding",
                        "-fno-stack-protector", "-fno-pie", "-no-pie")
    compile_program(paths["fuse_memory"], ["tests/bench/fuse/fuse_memory.c"], *fuse)
    compile_program(paths["fuse_passthrough"],
                    [packages.path("usr/share/doc/libfuse3-dev/examples/passthrough_ll.c")], *fuse)
    return {paths[name]: place for name, place in names.items()}


class Applications:
    """Programs of others, built for both systems (tools/make/interop.mk), as far as they are there (`missing`: one that is not),
    and the file tree that rows unpack. Raises Problem."""
    NAMES = ("postmark", "speedtest1")

    def __init__(self, programs, build, folder):
        self.archive = os.path.join(folder, "applications.tar")  # Lintel's
        tree = os.path.join(build if not build.startswith("build/") else "build", "tree", "tree.tar")
        linux = {os.path.join(programs, "linux", name): "bin/" + name for name in self.NAMES} | {tree: "tree.tar"}
        lintel = [os.path.join(programs, "bin", name) for name in self.NAMES]
        self.missing = next((path for path in [*lintel, *linux] if not os.path.exists(path)), "")
        lintel = [path for path in lintel if os.path.exists(path)]
        linux = {path: name for path, name in linux.items() if os.path.exists(path)}
        pack_lintel(build, lintel, os.path.join(folder, "applications"), self.archive)
        self.initrd = initramfs.build_files(linux)
        self.keys = {"lintel": digest_files(lintel), "linux": digest_bytes(self.initrd)}


def pack_lintel(build, programs, folder, archive):
    """Lintel's boot archive with the programs as /extra."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for path in programs:
        shutil.copy(path, folder)
    command = [sys.executable, "-B", "tools/image", "extra", archive, "--base", os.path.join(build, "boot.tar"), "--folder", folder]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode:
        raise Problem(f"programs of others and the file tree are left out: {last_line(result.stderr)}")


class LinuxGuest:
    """Kernel and initramfs, ready for jobs."""

    def __init__(self, packages, folder):
        self.packages, self.folder = packages, folder
        programs = compile_all(packages, os.path.join(folder, "native"))
        self.base = initramfs.build_base(packages, programs, "tests/bench/linux/guest/init.sh")
        self.program_bytes = os.path.getsize(os.path.join(folder, "native", "bench"))
        self.key = digest_text(digest_files([packages.kernel()]), digest_bytes(self.base))

    def initrd(self, job, applications):
        path = os.path.join(self.folder, "initrd")
        try:
            with open(path, "wb") as file:
                file.write(self.base + (applications.initrd if job.applications else b"") + initramfs.build_job(job.text))
        except OSError as error:
            raise Problem(f"{path}: {error.strerror}") from error
        return path


def digest_bytes(data):
    import hashlib
    return hashlib.sha256(data).hexdigest()
