# SPDX-License-Identifier: BSD-2-Clause
"""abigen - makes C, reference pages and goldens from the files in abi/. Run as `python3 tools/abigen`.

  --out DIR      write headers and the kernel's table there (files that would not change are left alone)
  --pages DIR    write docs/*.md and abi/golden/*.txt below DIR (the project's root)
  --check DIR    compare those pages and goldens with what they should be; exit 1 and name the files that differ"""
import argparse
import glob
import os
import sys

import emit_calls
import emit_docs
import emit_messages
import emit_shapes
import parse
from model import AbiError


def load(directory):
    errors = parse.parse_errors(os.path.join(directory, "errors.def"))
    calls = parse.parse_syscalls(os.path.join(directory, "syscalls.def"), errors)
    interfaces = [parse.parse_proto(path, os.path.basename(path), errors)
                  for path in sorted(glob.glob(os.path.join(directory, "*.proto")))]
    parse.check_interfaces(interfaces, directory)
    return errors, calls, interfaces


def make_sources(errors, calls, interfaces):
    files = {
        "include/lintel/errors.h": emit_calls.emit_errors(errors),
        "include/lintel/syscall_numbers.h": emit_calls.emit_numbers(calls),
        "include/lintel/syscalls.h": emit_calls.emit_stubs(calls),
        "include/lintel/names.h": emit_calls.emit_names(errors, calls, interfaces),
        "include/lintel/call_shapes.h": emit_shapes.emit_shapes(calls),
        "include/lintel/dispatch.h": emit_messages.emit_dispatch_helpers(),
        "kernel/syscall_handlers.h": emit_calls.emit_handlers(calls),
        "kernel/syscall_table.c": emit_calls.emit_table(calls),
    }
    for interface in interfaces:
        prefix = f"include/lintel/{interface.name}_"
        files[prefix + "proto.h"] = emit_messages.emit_proto(interface)
        files[prefix + "client.h"] = emit_messages.emit_client(interface)
        files[prefix + "server.h"] = emit_messages.emit_server(interface)
    return files


def make_pages(errors, calls, interfaces):
    files = {
        "docs/syscalls.md": emit_docs.emit_syscalls_page(calls, errors),
        "docs/protocols.md": emit_docs.emit_protocols_page(interfaces),
        "abi/golden/syscalls.txt": emit_docs.golden_syscalls(calls),
        "abi/golden/errors.txt": emit_docs.golden_errors(errors),
    }
    for interface in interfaces:
        files[f"abi/golden/{interface.name}.txt"] = emit_docs.golden_interface(interface)
    return files


def read_text(path):
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except FileNotFoundError:
        return None


def write_changed(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        if read_text(path) == text:
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as target:
            target.write(text)
        os.replace(path + ".new", path)


def main():
    options = argparse.ArgumentParser(prog="abigen", description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--abi", default="abi", metavar="DIR")
    options.add_argument("--out", metavar="DIR")
    options.add_argument("--pages", metavar="DIR")
    options.add_argument("--check", metavar="DIR")
    options = options.parse_args()
    try:
        model = load(options.abi)
    except AbiError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if options.out:
        write_changed(options.out, make_sources(*model))
    if options.pages:
        write_changed(options.pages, make_pages(*model))
    if options.check:
        stale = [name for name, text in make_pages(*model).items()
                 if read_text(os.path.join(options.check, name)) != text]
        for name in stale:
            print(f"{name}: differs from abi/; if the change is meant, run `make abi-docs`", file=sys.stderr)
        return 1 if stale else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
