# SPDX-License-Identifier: BSD-2-Clause
"""initramfs.py - the file tree that Linux boots into: a cpio archive (newc, Documentation/driver-api/early-userspace/
buffer-format.rst) with the modules in their order, the benchmark, the FUSE servers, the mkfs tools and their libraries."""
import glob
import os
import re
import stat
import subprocess

from bench.problem import Problem

MODULES = ("nfit", "nd_pmem", "ext4", "xfs", "fuse")
# ext4 and xfs ask for these by name when they are mounted; without crc32c_intel they reckon checksums without SSE 4.2.
MODULES_ASKED = ("crc32c_intel", "crc32c_generic", "libcrc32c")
TOOLS = {"sbin/mke2fs": "bin/mkfs.ext4", "sbin/mkfs.xfs": "bin/mkfs.xfs", "usr/bin/ndctl": "bin/ndctl"}
LIBRARY_FOLDERS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
LOADER = "lib64/ld-linux-x86-64.so.2"


class Archive:
    """A cpio archive in the making."""

    def __init__(self):
        self.bytes = bytearray()
        self.number = 0
        self.folders = set()

    def entry(self, name, mode, data=b"", device=(0, 0)):
        self.number += 1
        fields = (self.number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        self.bytes += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        self.bytes += bytes(-len(self.bytes) % 4) + data
        self.bytes += bytes(-len(self.bytes) % 4)

    def folder(self, name):
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self.entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o755):
        self.folder(os.path.dirname(name))
        self.entry(name, stat.S_IFREG | mode, data)

    def copy(self, path, name):
        with open(path, "rb") as file:
            self.file(name, file.read())

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self):
        self.entry("TRAILER!!!", 0)
        return bytes(self.bytes) + bytes(-len(self.bytes) % 512)


def needed_libraries(path):
    result = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, errors="replace", check=False)
    return re.findall(r"\(NEEDED\).*\[(.+)\]", result.stdout)


def find_library(root, name):
    for folder in LIBRARY_FOLDERS:
        path = os.path.join(root, folder, name)
        if os.path.exists(path):
            return os.path.realpath(path), os.path.join(folder, name)
    raise Problem(f"the packages lack the library {name}; Linux is left out")


def add_libraries(archive, root, programs):
    """What the programs need, and what that needs."""
    known, todo = set(), list(programs)
    while todo:
        for name in needed_libraries(todo.pop()):
            if name in known or name.startswith("ld-linux"):
                continue
            known.add(name)
            path, place = find_library(root, name)
            archive.copy(path, place)
            todo.append(path)


def module_dependencies(path):
    """A module names what it needs in its section .modinfo: "depends=a,b"."""
    with open(path, "rb") as file:
        found = re.search(rb"\0depends=([^\0]*)\0", file.read())
    return [name for name in found.group(1).decode().split(",") if name] if found else []


def order_modules(paths, names):
    """Paths of modules such that each comes after what it needs. `paths`: name -> path; built-in ones are not there."""
    ordered, seen = [], set()

    def visit(name):
        name = name.replace("-", "_")
        if name in seen or name not in paths:
            return
        seen.add(name)
        for needed in module_dependencies(paths[name]):
            visit(needed)
        ordered.append(paths[name])

    for name in names:
        visit(name)
    return ordered


def find_modules(packages):
    pattern = os.path.join(packages.root, "lib/modules", packages.release(), "**", "*.ko")
    return {os.path.basename(path)[:-3].replace("-", "_"): path for path in glob.glob(pattern, recursive=True)}


def busybox_names(path):
    """What it can do, as links to make; those that packages bring are not among them."""
    result = subprocess.run([path, "--list"], capture_output=True, text=True, check=False)
    return [name for name in result.stdout.split() if name not in ("busybox", *map(os.path.basename, TOOLS.values()))]


def build_base(packages, programs, init):
    """The archive that all boots have in common. `programs`: path -> name of what was compiled here; `init`: the
    script that does a job."""
    archive = Archive()
    for name in ("dev", "proc", "sys", "mnt", "tmp", "run"):
        archive.folder(name)
    archive.entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for path, name in programs.items():
        archive.copy(path, name)
    archive.copy(init, "init.sh")
    archive.copy(packages.path("bin/busybox"), "bin/busybox")
    for name in busybox_names(packages.path("bin/busybox")):
        archive.link("bin/" + name, "busybox")
    tools = [packages.path(source) for source in TOOLS]
    for path, name in zip(tools, TOOLS.values()):
        archive.copy(path, name)
    archive.copy(packages.path("etc/mke2fs.conf"), "etc/mke2fs.conf")
    archive.copy(os.path.realpath(packages.path(LIBRARY_FOLDERS[0], os.path.basename(LOADER))), LOADER)
    add_libraries(archive, packages.root, tools)
    names = []
    for path in order_modules(find_modules(packages), MODULES_ASKED + MODULES):
        names.append(os.path.basename(path))
        archive.copy(path, "modules/" + names[-1])
    missing = set(MODULES) - {name[:-3].replace("-", "_") for name in names}
    if missing:
        raise Problem(f"Linux {packages.release()} has no module {', '.join(sorted(missing))}; Linux is left out")
    archive.file("modules/order", ("\n".join(names) + "\n").encode())
    return archive.finish()


def build_files(files):
    """An archive that is put behind the first: path -> name."""
    archive = Archive()
    for path, name in files.items():
        archive.copy(path, name)
    return archive.finish()


def build_job(text):
    """The last archive: what this boot is to do."""
    archive = Archive()
    archive.file("job.sh", text.encode())
    return archive.finish()
