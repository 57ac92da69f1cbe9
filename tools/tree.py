# SPDX-License-Identifier: BSD-2-Clause
"""tree.py - chooses and packs the real file tree that a boot imports into pmem.

  tree.py --out DIR      writes DIR/tree.tar (ustar) and DIR/tree.sha256 (as sha256sum prints it)

The project's own files come first, then /usr/share/zoneinfo and /usr/share/doc, by sorted name, until the caps are
reached. Where that is less than the least that a tree should have, larger files of these and more folders follow until it
is enough."""
import argparse
import hashlib
import os
import subprocess
import sys
import tarfile

FILES_MIN, FILES_MAX = 1000, 3000
FILES_MORE_MAX = 4000  # with what has to be added
MORE_FILE_BYTES_MIN = 16 << 10
BYTES_MIN, BYTES_MAX = 20 << 20, 32 << 20
FILE_BYTES_MAX = 8 << 20
FOLDERS = ("/usr/share/zoneinfo", "/usr/share/doc")
MORE_FOLDERS = FOLDERS + ("/usr/lib/python3", "/usr/share", "/usr/lib")
MODIFIED = 1767225600  # 2026-01-01


def project_files():
    """Tracked files, and new ones that are not ignored; without git, everything outside build folders."""
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=False)
    if listing.returncode == 0 and listing.stdout:
        names = listing.stdout.decode("utf-8", "surrogateescape").split("\0")
    else:
        names = [os.path.relpath(path) for path in walk(".") if not path.startswith(("./build", "./.git"))]
    return [(os.path.join("lintel", name), name) for name in sorted(set(names)) if name]


def walk(folder):
    for current, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield os.path.join(current, name)


def is_wanted(path):
    return os.path.isfile(path) and not os.path.islink(path) and os.access(path, os.R_OK) \
        and os.path.getsize(path) <= FILE_BYTES_MAX


class Tree:
    def __init__(self):
        self.chosen = {}  # name in the tree -> (path on this machine, bytes)
        self.bytes = 0

    def add(self, name, path, files_max=FILES_MAX):
        if name in self.chosen or not is_wanted(path) or not name.isprintable():
            return
        size = os.path.getsize(path)
        if len(self.chosen) >= files_max or self.bytes + size > BYTES_MAX:
            return
        try:
            tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)
        except ValueError:
            return  # too long a name for the format
        self.chosen[name] = (path, size)
        self.bytes += size

    def add_folder(self, folder):
        for path in walk(folder):
            self.add(path.lstrip("/"), path)

    def add_larger_files(self, folder):
        """Until it is large enough: of many small files there may be enough already."""
        for path in walk(folder):
            if self.is_large_enough():
                return
            if is_wanted(path) and (os.path.getsize(path) >= MORE_FILE_BYTES_MIN or len(self.chosen) < FILES_MIN):
                self.add(path.lstrip("/"), path, FILES_MORE_MAX)

    def is_large_enough(self):
        return len(self.chosen) >= FILES_MIN and self.bytes >= BYTES_MIN


def choose():
    tree = Tree()
    for name, path in project_files():
        tree.add(name, path)
    for folder in FOLDERS:
        tree.add_folder(folder)
    for folder in MORE_FOLDERS:
        tree.add_larger_files(folder)
    if not tree.is_large_enough():
        sys.exit(f"tree: this machine gives {len(tree.chosen)} files with {tree.bytes >> 20} MB, a tree needs "
                 f"{FILES_MIN} files and {BYTES_MIN >> 20} MB: install a package with documentation, such as git")
    return tree


def write(tree, folder):
    os.makedirs(folder, exist_ok=True)
    archive, sums = os.path.join(folder, "tree.tar"), os.path.join(folder, "tree.sha256")
    known = set()
    with tarfile.open(archive + ".new", "w", format=tarfile.USTAR_FORMAT) as tar, \
            open(sums, "w", encoding="utf-8") as list_file:
        for name in sorted(tree.chosen):
            path, size = tree.chosen[name]
            add_parents(tar, name, known)
            info = tarfile.TarInfo(name)
            info.size, info.mtime = size, MODIFIED
            info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            with open(path, "rb") as file:
                tar.addfile(info, file)
                file.seek(0)
                digest = hashlib.sha256(file.read(size)).hexdigest()
            list_file.write(f"{digest}  {name}\n")
    os.replace(archive + ".new", archive)
    print(f"tree: {len(tree.chosen)} files with {tree.bytes / 1e6:.1f} MB", file=sys.stderr)


def add_parents(tar, name, known):
    parent = os.path.dirname(name)
    if parent and parent not in known:
        add_parents(tar, parent, known)
        known.add(parent)
        info = tarfile.TarInfo(parent)
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, MODIFIED
        tar.addfile(info)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", required=True, metavar="DIR")
    write(choose(), options.parse_args().out)


if __name__ == "__main__":
    main()
