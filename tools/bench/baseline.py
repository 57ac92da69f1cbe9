# SPDX-License-Identifier: BSD-2-Clause
"""baseline.py - is the harness right? Linux's figures here beside those that an independent harness measured before in
such a machine (Debian's 6.1, QEMU 7.2, lean). `python3 tools/bench check RUN` says which are more than 3 % apart, and why as far
as that is known."""
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


# With names relative to the mount point, open + close on ext4 took 5,365 here.
PATHS = "a path here is /MOUNT/FILE, there FILE: some 480 a path"
SERVER = "the FUSE server is another program"
UNKNOWN = "not explained"
# (rows, place or None for all, why). The first that fits counts.
REASONS = (
    (("mkdir_rmdir",), "xfs", "XFS has a directory in each allocation group here; without, in an empty file system, it is 69,100"),
    (("open_close", "stat", "create_unlink", "mkdir_rmdir", "rename"), None, PATHS),
    (("append_4k_fsync",), "ext4", "500 appends in a row share more of the journal's work: 50 are 82,300 each"),
    (tuple(FILES), "fuse", SERVER), (tuple(FILES), "pass", SERVER),
)


def reason(column, row):
    """Why the figures are apart, or ''."""
    place = column.partition(".")[2]
    return next((why for rows, where, why in REASONS if row in rows and where in (None, place)), "")


def known():
    for row, values in FILES.items():
        for place, value in zip(PLACES, values):
            if value:
                yield f"lean.{place}", row, value
    for row, value in SYSTEM.items():
        yield "lean", row, value


def check_text(run):
    """A line for each figure that is known, why they are apart, and a count."""
    values = {(one["column"], one["row"]): one["value"] for one in combine(run["measurements"])
              if one["mode"] == "exact" and "value" in one}
    lines, counts = [], {"near": 0, "explained": 0, "not": 0}
    for column, row, before in known():
        value = values.get((column, row))
        if value is None:
            continue
        apart = value / before - 1
        near = abs(apart) <= LIMIT
        why = "" if near else reason(column, row) or UNKNOWN
        counts["near" if near else "not" if why == UNKNOWN else "explained"] += 1
        lines.append(f"{'  ' if near else '* '}{column:12} {row:20} {value:14,.0f} {before:14,} {apart * 100:+6.1f} %"
                     + (f"  {why}" if why else ""))
    lines.append(f"{counts['near']} of {sum(counts.values())} within {LIMIT * 100:.0f} %, {counts['explained']} apart for a reason "
                 f"that is known, {counts['not']} not explained")
    return "\n".join(lines) + "\n"
