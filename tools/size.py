# SPDX-License-Identifier: BSD-2-Clause
"""size.py - how big things are, in bytes of code, data and zeroed data: each kernel room, the largest objects, programs.

  size.py --build DIR --kernel KERNEL PROGRAM..."""
import argparse
import glob
import os
import subprocess
from collections import defaultdict

LARGEST = 12


def sizes(paths):
    """path -> (text, data, bss), as `size` (Berkeley format) tells."""
    if not paths:
        return {}
    output = subprocess.run(["size", *paths], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in output.splitlines()[1:]]
    return {row[5]: tuple(int(value) for value in row[:3]) for row in rows}


def show(title, rows):
    print(f"{title:44} {'text':>9} {'data':>9} {'bss':>9} {'all':>9}")
    for name, (text, data, bss) in rows:
        print(f"  {name:42} {text:9,} {data:9,} {bss:9,} {text + data + bss:9,}")
    print()


def by_room(objects):
    rooms = defaultdict(lambda: [0, 0, 0])
    for path, values in objects.items():
        for column, value in enumerate(values):
            rooms[os.path.dirname(path)][column] += value
    return sorted(rooms.items(), key=lambda row: -sum(row[1]))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", required=True)
    options.add_argument("--kernel", required=True)
    options.add_argument("programs", nargs="*")
    options = options.parse_args()
    root = os.path.join(options.build, "obj/kernel")
    objects = {os.path.relpath(path, root)[:-2]: values
               for path, values in sizes(sorted(glob.glob(root + "/**/*.o", recursive=True))).items()}
    show("kernel, by room", by_room(objects))
    show(f"kernel, the {LARGEST} largest objects", sorted(objects.items(), key=lambda row: -sum(row[1]))[:LARGEST])
    binaries = sizes([options.kernel, *options.programs])
    show("binaries", sorted(((os.path.basename(path), values) for path, values in binaries.items()),
                            key=lambda row: -sum(row[1])))


if __name__ == "__main__":
    main()
