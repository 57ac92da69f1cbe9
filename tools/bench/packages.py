# SPDX-License-Identifier: BSD-2-Clause
"""packages.py - the peers' programs, from Debian packages: fetched once into a cache, unpacked there, never installed.

Cache: ${XDG_CACHE_HOME:-~/.cache}/lintel/bench/: debs/ as fetched, root/ what is used of them, ready.json names and
versions. Remove the folder to fetch anew. apt is asked what the packages depend on as if nothing were installed, so the
result does not depend on the machine's own libraries, and needs no root."""
import glob
import json
import os
import re
import shutil
import subprocess
import tarfile

from bench.problem import Problem, last_line

KERNEL = "linux-image-amd64"
TOOLS = ("busybox-static", "e2fsprogs", "xfsprogs", "ndctl", "fuse3", "libfuse3-dev")
FETCH_SECONDS = 900
FETCH_BYTES = 900 << 20  # free space that fetching and unpacking needs
# What is unpacked: the rest of the packages is never used.
WANTED = re.compile(r"\./(s?bin|etc|lib64|boot/vmlinuz|boot/config|usr/s?bin/|usr/include/fuse3|lib/x86_64-linux-gnu"
                    r"|usr/lib/x86_64-linux-gnu/[^/]+$|usr/share/doc/libfuse3-dev/examples"
                    r"|lib/modules/[^/]+/kernel/(fs/(ext4|jbd2|xfs|fuse|mbcache)|drivers/(nvdimm|dax|acpi)|lib|crypto|arch))")


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "lintel", "bench")


class Packages:
    """The unpacked packages: paths, and what they are."""

    def __init__(self, folder, names):
        self.root = os.path.join(folder, "root")
        self.names = names  # "package version", sorted

    def path(self, *parts):
        found = os.path.join(self.root, *parts)
        if not os.path.exists(found):
            raise Problem(f"{found} is missing from the cache: remove {os.path.dirname(self.root)} to fetch it anew")
        return found

    def kernel(self):
        found = sorted(glob.glob(os.path.join(self.root, "boot", "vmlinuz-*")))
        if not found:
            raise Problem(f"no Linux kernel in {self.root}: remove {os.path.dirname(self.root)} to fetch it anew")
        return found[-1]

    def release(self):
        return os.path.basename(self.kernel())[len("vmlinuz-"):]


def run_apt(command, folder, log):
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace",
                                timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Problem(f"fetching packages has not ended after {FETCH_SECONDS} s (log: {log})") from error
    with open(log, "a", encoding="utf-8") as file:
        file.write(" ".join(command) + "\n" + result.stdout + result.stderr)
    return result


def apt_options(folder, private_lists):
    """apt on its own: nothing counts as installed; the archives, and if need be the lists, lie in `folder`."""
    status = os.path.join(folder, "status")
    with open(status, "w", encoding="ascii"):
        pass
    options = {"Dir::State::status": status, "Dir::Cache::archives": os.path.join(folder, "debs"),
               "Debug::NoLocking": "1", "APT::Sandbox::User": "", "Acquire::Retries": "2", "Acquire::http::Timeout": "30"}
    if private_lists:
        os.makedirs(os.path.join(folder, "lists", "partial"), exist_ok=True)
        options.update({"Dir::State::lists": os.path.join(folder, "lists"), "Dir::Cache": folder})
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def kernel_package(options, folder, log):
    """The package that linux-image-amd64 stands for today."""
    result = run_apt(["apt-cache", *options, "depends", KERNEL], folder, log)
    found = re.search(r"Depends: (linux-image-[0-9][^\s<>]*)", result.stdout)
    return found.group(1) if found else ""


def try_fetch(folder, log, private_lists):
    """'' or why it did not work."""
    options = apt_options(folder, private_lists)
    if private_lists:
        result = run_apt(["apt-get", *options, "-q", "update"], folder, log)
        if result.returncode or "ailed to " in result.stderr:
            return first_error(result)
    kernel = kernel_package(options, folder, log)
    if not kernel:
        return f"the package archive has no {KERNEL}"
    result = run_apt(["apt-get", *options, "-q", "-y", "--no-install-recommends", "--download-only", "install", *TOOLS],
                     folder, log)
    if result.returncode == 0:
        result = run_apt(["apt-get", *options, "-q", "download", kernel], os.path.join(folder, "debs"), log)
    return first_error(result) if result.returncode else ""


def first_error(result):
    errors = [line for line in result.stderr.splitlines() if line.startswith(("E:", "W: Failed", "Err:"))]
    return errors[0].partition(":")[2].strip() if errors else last_line(result.stderr)


def fetch(folder, tell):
    log = os.path.join(folder, "apt.log")
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Problem("the peers come from Debian packages and this machine has no apt-get; Linux is left out")
    if shutil.disk_usage(folder).free < FETCH_BYTES:
        raise Problem(f"{folder}: {FETCH_BYTES >> 20} MB must be free for the peers' packages; Linux is left out")
    tell(f"fetching Linux and its tools (Debian packages, 120 MB, once) into {folder}")
    why = try_fetch(folder, log, private_lists=False)
    if why:
        why = try_fetch(folder, log, private_lists=True)
    if why:
        raise Problem(f"the peers' packages cannot be fetched: {why} (log: {log}); Linux is left out")


def unpack(deb, root):
    """The wanted part of one package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stream:
        with tarfile.open(fileobj=stream.stdout, mode="r|") as tar:
            for member in tar:
                if member.isdir() or not WANTED.match(member.name):
                    continue
                member.mode |= 0o600
                tar.extract(member, root, set_attrs=True, numeric_owner=False)
    if stream.returncode:
        raise Problem(f"{deb} is damaged: remove it and try again")


def package_name(deb):
    result = subprocess.run(["dpkg-deb", "-W", "--showformat=${Package} ${Version}", deb], capture_output=True, text=True,
                            check=False)
    return result.stdout.strip()


def unpack_all(folder):
    root = os.path.join(folder, "root")
    shutil.rmtree(root, ignore_errors=True)
    names = []
    for deb in sorted(glob.glob(os.path.join(folder, "debs", "*.deb"))):
        try:
            unpack(deb, root)
        except (tarfile.TarError, OSError) as error:
            raise Problem(f"{deb} cannot be unpacked: {error}") from error
        names.append(package_name(deb))
    with open(os.path.join(folder, "ready.json"), "w", encoding="utf-8") as file:
        json.dump(sorted(names), file, indent=1)


def prepare_packages(tell):
    """The peers' packages, fetched and unpacked if they are not there yet. Raises Problem."""
    folder = cache_folder()
    ready = os.path.join(folder, "ready.json")
    try:
        os.makedirs(os.path.join(folder, "debs", "partial"), exist_ok=True)
        if not os.path.exists(ready):
            fetch(folder, tell)
            unpack_all(folder)
        with open(ready, encoding="utf-8") as file:
            return Packages(folder, json.load(file))
    except (OSError, ValueError) as error:
        raise Problem(f"{folder}: {error}; Linux is left out") from error
