# SPDX-License-Identifier: BSD-2-Clause
"""baseline.py - is the harness right? Linux's figures here beside those that an independent harness measured before in
such a machine (Debian's 6.1, QEMU 7.2, lean). `python3 tools/bench check RUN` says which are more than 3 % apart.

Known reasons for being apart: path rows name a mount point and a file here (two components, the other harness one), and
the FUSE memory server is another program."""
from bench.store import combine

LIMIT = 0.03
PLACES = ("tmpfs", "ext4", "xfs", "fuse", "pass")
FILES = {
    "read_4k_seq": (1875, 2469, 2642, 16819, 22920), "read_8_seq": (1425, 1959, 2132, 16307, 22002),
    "write_4k_seq": (2279, 3379, 3671, 18847, 26726), "write_4k_fsync": (2592, 4860, 5092, 31416, 43578),
    "append_4k": (4398, 24963, 28098, 18652, 47917), "append_4k_fsync": (4700, 83611, 55306, 31013, 117528),
    "fstat": (2183, 2169, 2154, 15352, 20345), "open_close": (5022, 5331, 5605, 38749, 80331),
    "stat": (2550, 2541, 2526, 29383, 43728), "create_unlink": (14226, 46311, 46394, 75552, 174720),
    "readdir_1000": (374, 1493, 435, 884, 2408), "mkdir_rmdir": (10036, 85146, 53280, 64342, 179334),
    "rename": (6480, 22158, 13869, 44131, 85378), "map_read_fault": (590, 4118, 5345), "map_write_fault": (2252, 5112, 4548),
    "map_read_2m": (None, 15, 15),
}
SYSTEM = {"pipe_round_trip": 12395, "socket_round_trip": 16850, "eventfd_round_trip": 9851, "anon_fault": 3251,
          "munmap_1": 9268, "munmap_256": 265402, "thread_create_join": 40800, "first_instruction_ns": 6_200_000_000}


def known():
    for row, values in FILES.items():
        for place, value in zip(PLACES, values):
            if value:
                yield f"lean.{place}", row, value
    for row, value in SYSTEM.items():
        yield "lean", row, value


def check_text(run):
    """A line for each figure that is known, and a count."""
    values = {(one["column"], one["row"]): one["value"] for one in combine(run["measurements"])
              if one["mode"] == "exact" and "value" in one}
    lines, near, compared = [], 0, 0
    for column, row, before in known():
        value = values.get((column, row))
        if value is None:
            continue
        compared += 1
        apart = value / before - 1
        near += abs(apart) <= LIMIT
        lines.append(f"{'  ' if abs(apart) <= LIMIT else '* '}{column:12} {row:20} {value:14,.0f} {before:14,} {apart * 100:+6.1f} %")
    return "\n".join(lines + [f"{near} of {compared} within {LIMIT * 100:.0f} %"]) + "\n"
