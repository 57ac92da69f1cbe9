# SPDX-License-Identifier: BSD-2-Clause
"""unit_links.py - prints make rules: which objects each unit test links.

A test names its sources in a comment line: `link: mm/ !mm/port.c tests/unit/host.c`. A folder stands for all its .c files,
`!` takes one out again. Without such a line it links the .c beside each project header that it includes, directly or
through other headers ("console/uart.h" -> servers/console/uart.c)."""
import argparse
import glob
import os
import re

ROOTS = ("", "servers/", "drivers/", "libc/", "tests/unit/")
LINK = re.compile(r"^\W*link:\s*(.*?)\s*(?:\*/)?$")
INCLUDE = re.compile(r'^#include "([^"]+)\.h"')


class LinkError(Exception):
    """A `link:` line that cannot be followed: said when that test is built, so that the others still are."""


def named_sources(path, number, patterns):
    sources = []
    for pattern in patterns:
        files = sorted(glob.glob(pattern.lstrip("!") + ("*.c" if pattern.endswith("/") else "")))
        if not files and not pattern.startswith("!"):
            raise LinkError(f"{path}:{number}: link: there is no file {pattern}")
        if pattern.startswith("!"):
            sources = [source for source in sources if source not in files]
        else:
            sources += [source for source in files if source not in sources]
    return sources


def included_sources(path, seen):
    sources = []
    with open(path, encoding="utf-8") as file:
        names = [match.group(1) for match in map(INCLUDE.match, file) if match]
    for name in names:
        root = next((root for root in ROOTS if os.path.exists(f"{root}{name}.h")), None)
        if root is None or name in seen:
            continue
        seen.add(name)
        if os.path.exists(f"{root}{name}.c"):
            sources.append(f"{root}{name}.c")
        sources += included_sources(f"{root}{name}.h", seen)
    return sources


def find_sources(path):
    named = None
    with open(path, encoding="utf-8") as test:
        for number, line in enumerate(test, 1):
            link = LINK.match(line)
            if link:
                named = (named or []) + named_sources(path, number, link.group(1).split())
    return included_sources(path, set()) if named is None else named


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", required=True)
    options.add_argument("--objects", required=True)
    options.add_argument("tests", nargs="*")
    options = options.parse_args()
    for path in options.tests:
        target = f"{options.out}/{os.path.basename(path)[:-2]}"
        try:
            sources = [path] + find_sources(path)
        except LinkError as error:
            print(f"{target}:\n\t@echo 'error: {error}' >&2; exit 1")
            continue
        print(f"{target}: " + " ".join(f"{options.objects}/{source}.o" for source in sources))


if __name__ == "__main__":
    main()
