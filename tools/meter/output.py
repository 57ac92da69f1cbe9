# SPDX-License-Identifier: BSD-2-Clause
"""output.py - the file that the plugin writes (meter.c, and each mode's own head), as stretches."""
from dataclasses import dataclass, field

from bench.problem import Problem


@dataclass(frozen=True)
class Code:
    """One instruction where it was executed. `page` is the host's, and differs from program to program."""
    address: int
    page: int
    data: bytes


@dataclass
class Access:
    cpu: int
    store: bool
    count: int
    taken: int  # of these, how many took the line from another CPU
    code: Code


@dataclass
class Stretch:
    executed: list = field(default_factory=list)  # budget: (count, Code)
    lines: dict = field(default_factory=dict)     # lines: physical address -> [Access]
    stores: list = field(default_factory=list)    # stores: (count, low, high, Code)

    def codes(self):
        yield from (code for _, code in self.executed)
        yield from (access.code for accesses in self.lines.values() for access in accesses)
        yield from (code for *_, code in self.stores)


def parse_code(words):
    address, page, data = words
    return Code(int(address, 16), int(page, 16), bytes.fromhex(data))


def take_line(stretch, words, line):
    """`line` is the one that accesses belong to; returns the one that the next do."""
    kind = words[0]
    if kind == "code":
        stretch.executed.append((int(words[1]), parse_code(words[2:])))
    elif kind == "line":
        return stretch.lines.setdefault(int(words[1], 16), [])
    elif kind == "access":
        line.append(Access(int(words[1]), words[2] == "store", int(words[3]), int(words[4]),
                           parse_code(words[5:])))
    elif kind == "store":
        stretch.stores.append((int(words[1]), int(words[2], 16), int(words[3], 16), parse_code(words[4:])))
    else:
        raise ValueError
    return line


def parse(text):
    """The stretches, in order. Raises Problem if the file is torn or strange."""
    stretches, stretch, line = [], None, None
    for number, text_line in enumerate(text.splitlines(), 1):
        words = text_line.split()
        try:
            if words[0] == "stretch" and stretch is None and int(words[1]) == len(stretches) + 1:
                stretch, line = Stretch(), None
            elif words[0] == "end" and stretch is not None and int(words[1]) == len(stretches) + 1:
                stretches.append(stretch)
                stretch = None
            else:
                line = take_line(stretch, words, line)
        except (ValueError, IndexError, AttributeError, TypeError) as error:
            raise Problem(f"the plugin's line {number} makes no sense: {text_line[:60]}") from error
    if stretch is not None:
        raise Problem("the plugin's file ends within a stretch: QEMU was ended too early")
    return stretches


def read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return parse(file.read())
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from error
