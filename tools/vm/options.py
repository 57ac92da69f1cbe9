# SPDX-License-Identifier: BSD-2-Clause
"""options.py - the variables that every run target takes, checked. A bad one raises OptionError with one line."""
import os
import re
from dataclasses import dataclass, field

CPUS_MAX = 64
MEM_BYTES_MIN = 64 << 20
MEM_BYTES_MAX = 1 << 40
PMEM_BYTES_MIN = 4096
PMEM_BYTES_MAX = 16 << 40
COMMAND_LINE_BYTES_MAX = 1000  # the kernel keeps 1,024
BOOT_WAYS = ("pvh", "grub", "grub-uefi", "uefi")
ACCELERATORS = ("auto", "tcg", "kvm")
UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}


class OptionError(Exception):
    """What is wrong with a variable, and what it may be: one line."""


@dataclass
class Options:
    build: str = "build/release"
    cpus: int = 2
    mem: int = 1 << 30
    pmem: int = 0        # bytes; 0: what the file has, or 256 MiB if there is none yet
    pmem_off: bool = False
    pmem_file: str = "build/pmem.img"
    accel: str = "auto"
    boot: str = "pvh"
    cpu: str = ""
    icount: bool = False
    script: str = None   # None: a shell on the terminal
    extra: str = ""
    append: str = ""     # more words for the kernel's command line
    words: list = field(default_factory=list)


def parse_size(name, text, least, most):
    found = re.fullmatch(r"(\d+)([KMGT])", text, re.I)
    if not found:
        raise OptionError(f"{name}={text}: give a size such as 512M or 2G")
    value = int(found.group(1)) << UNITS[found.group(2).upper()]
    if not least <= value <= most:
        raise OptionError(f"{name}={text}: must lie between {show_size(least)} and {show_size(most)}")
    return value


def show_size(value):
    for unit in "TGMK":
        if value and value % (1 << UNITS[unit]) == 0:
            return f"{value >> UNITS[unit]}{unit}"
    return f"{value} bytes"


def parse_number(name, text, least, most):
    if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
        raise OptionError(f"{name}={text}: must be a number from {least} to {most}")
    return int(text)


def parse_choice(name, text, choices):
    if text not in choices:
        raise OptionError(f"{name}={text}: must be one of {', '.join(choices)}")
    return text


def parse_flag(name, text):
    if text not in ("", "0", "1"):
        raise OptionError(f"{name}={text}: must be 1, or 0 or empty for no")
    return text == "1"


def parse_folder(name, text):
    if not os.path.isdir(text):
        raise OptionError(f"{name}={text}: no such folder")
    if not os.access(text, os.R_OK | os.X_OK):
        raise OptionError(f"{name}={text}: the folder cannot be read")
    return text


def encode(text):
    """Percent-encoding of everything that a command line or a boot loader could misread."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+-"
    return "".join(chr(byte) if byte in plain else f"%{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))


def command_line(options):
    words = [options.append] if options.append else []
    if options.script is not None:
        words.append("script=" + encode(options.script))
    line = " ".join(words)
    if len(line) > COMMAND_LINE_BYTES_MAX:
        raise OptionError(f"SCRIPT is {len(line)} bytes once encoded, the kernel's command line holds "
                          f"{COMMAND_LINE_BYTES_MAX}: put the commands into a file under EXTRA= and run that")
    return line


def parse_options(given):
    """`given`: variable name -> text. A variable that is absent or empty has its default."""
    options = Options()
    known = {"BUILD", "CPUS", "MEM", "PMEM", "PMEM_FILE", "ACCEL", "BOOT", "CPU", "ICOUNT", "SCRIPT", "EXTRA", "APPEND"}
    for name in given:
        if name not in known:
            raise OptionError(f"{name}: there is no such variable; known are {', '.join(sorted(known))}")
    value = {name: text for name, text in given.items() if text != ""}
    options.build = value.get("BUILD", options.build)
    options.cpus = parse_number("CPUS", value.get("CPUS", "2"), 1, CPUS_MAX)
    options.mem = parse_size("MEM", value.get("MEM", "1G"), MEM_BYTES_MIN, MEM_BYTES_MAX)
    options.pmem_off = value.get("PMEM") == "none"
    if "PMEM" in value and not options.pmem_off:
        options.pmem = parse_size("PMEM", value["PMEM"], PMEM_BYTES_MIN, PMEM_BYTES_MAX)
    options.pmem_file = value.get("PMEM_FILE", os.path.join(options.build, "pmem.img"))
    options.accel = parse_choice("ACCEL", value.get("ACCEL", "auto"), ACCELERATORS)
    options.boot = parse_choice("BOOT", value.get("BOOT", "pvh"), BOOT_WAYS)
    options.icount = parse_flag("ICOUNT", value.get("ICOUNT", ""))
    options.cpu = value.get("CPU", "")
    if not re.fullmatch(r"[A-Za-z0-9_.,+=-]*", options.cpu):
        raise OptionError(f"CPU={options.cpu}: must be a CPU model of QEMU, such as max or qemu64")
    if options.icount and options.accel == "kvm":
        raise OptionError("ICOUNT=1 counts instructions, which only the emulator can: leave ACCEL=kvm out")
    options.script = value.get("SCRIPT")
    options.extra = parse_folder("EXTRA", value["EXTRA"]) if "EXTRA" in value else ""
    options.append = value.get("APPEND", "")
    command_line(options)
    return options
