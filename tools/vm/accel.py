# SPDX-License-Identifier: BSD-2-Clause
"""accel.py - KVM or TCG. /dev/kvm that is there may still not work (nested, restricted, broken), so the probe boots a
sector that enters long mode, with the very CPU model that would be used. The answer is kept in the build folder."""
import json
import os
import subprocess
import zlib

from vm.options import OptionError

QEMU = "qemu-system-x86_64"
AUTO_SECONDS = 2  # TCG needs 0.1: a KVM that needs longer than this (nested, every exit slow) is worse than TCG
ASKED_SECONDS = 20
PROBE_STATUS = 0x10 << 1 | 1  # what probe.S writes to the exit device
KVM_MODELS = ("host", "qemu64")


def build_probe(folder):
    """The boot sector's path; made from probe.S once."""
    image = os.path.join(folder, "probe.bin")
    source = os.path.join(os.path.dirname(__file__), "probe.S")
    if os.path.exists(image) and os.path.getmtime(image) >= os.path.getmtime(source):
        return image
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-Ttext=0x7c00",
                    "-Wl,--oformat=binary", source, "-o", image], check=True)
    os.truncate(image, 1 << 20)  # firmware does not boot from a disk of one sector
    return image


def probe(accelerator, model, image, seconds):
    """'' if that accelerator ran the boot sector to its end with that CPU model, else why not."""
    command = [QEMU, "-accel", accelerator, "-cpu", model, "-M", "q35", "-m", "64M", "-nodefaults", "-display", "none",
               "-no-reboot", "-drive", f"file={image},format=raw,if=ide,snapshot=on",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"a tiny guest has not ended after {seconds} s"
    if result.returncode == PROBE_STATUS:
        return ""
    if result.returncode < 0:
        return f"QEMU aborts with -cpu {model}"
    lines = [line for line in result.stderr.splitlines() if "warning" not in line]
    return lines[0].removeprefix(QEMU + ": ") if lines else f"QEMU ends with status {result.returncode}"


def machine_key():
    state = os.stat("/dev/kvm")
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return [version, os.getuid(), state.st_mode, state.st_rdev, state.st_ctime, os.uname().release]


def find_kvm(build, seconds):
    """(CPU model, '') for a KVM that runs a guest within `seconds`, or (None, why not)."""
    if not os.path.exists("/dev/kvm"):
        return None, "there is no /dev/kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return None, "/dev/kvm is not open to this user (join the group kvm)"
    image = build_probe(build)
    with open(image, "rb") as file:
        key = machine_key() + [seconds, zlib.crc32(file.read())]
    kept = os.path.join(build, "kvm.json")
    try:
        with open(kept, encoding="utf-8") as file:
            answer = json.load(file)
        if answer["key"] == key:
            return answer["model"], answer["why"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    model, why = None, ""
    for candidate in KVM_MODELS:
        why = probe("kvm", candidate, image, seconds)
        if not why:
            model = candidate
            break
    with open(kept, "w", encoding="utf-8") as file:
        json.dump({"key": key, "model": model, "why": why}, file)
    return model, why


def choose(options):
    """(QEMU arguments, CPU model, line to tell or ''): what `options` ask for, or the best there is."""
    if options.icount:
        arguments = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
                     "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1"]
        return arguments, options.cpu or "max,-erms", ""
    why = ""
    if options.accel in ("auto", "kvm"):
        model, why = find_kvm(options.build, ASKED_SECONDS if options.accel == "kvm" else AUTO_SECONDS)
        if model:
            return ["-accel", "kvm"], options.cpu or model, ""
        if options.accel == "kvm":
            raise OptionError(f"ACCEL=kvm: KVM does not work here: {why}; use ACCEL=tcg")
    told = f"KVM is not usable ({why}): running under TCG" if why else ""
    return ["-accel", "tcg,thread=multi"], options.cpu or "max", told
