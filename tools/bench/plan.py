# SPDX-License-Identifier: BSD-2-Clause
"""plan.py - what is measured: groups, columns, the boots ("jobs") of a run, the essential rows.

A column is a system in a variant, for files also a place: "lintel.pmem", "lean.ext4", "default". One boot gives the
rows of one or more columns. Boots are small, so that an interrupted run loses little."""
from dataclasses import dataclass

GROUPS = ("ipc", "memory", "files", "programs", "scaling", "boot")
LINTEL_PLACES = ("pmem", "tmp")
LINUX_PLACES = ("ext4", "xfs", "tmpfs", "fuse", "pass")
VARIANTS = ("lean", "default")
TITLES = {
    "lintel": "Lintel", "lean": "Linux", "default": "Linux as it comes", "pmem": "pmfs", "tmp": "memfs", "ext4": "ext4-dax",
    "xfs": "xfs-dax", "tmpfs": "tmpfs", "fuse": "FUSE memory", "pass": "FUSE pass",
}
# The rivals of Lintel's pmfs: Linux file systems that keep their data in the NVDIMM, in the kernel.
RIVALS = ("lean.ext4", "lean.xfs")

# make bench-quick: (group, row), in the order of the table.
ESSENTIAL = (
    ("ipc", "null_call"), ("memory", "anon_fault"), ("memory", "munmap_1"), ("files", "read_8_seq"),
    ("files", "read_4k_seq"), ("files", "write_4k_fsync"), ("files", "append_4k_fsync"), ("files", "open_close"),
    ("files", "stat"), ("files", "create_unlink"),
)
# What stands in for each other in the row "call into another process and back": each system's cheapest way.
CALLS = {"lintel": ("door_0",), "linux": ("futex_round_trip", "eventfd_round_trip", "pipe_round_trip", "socket_round_trip")}
STARTS = {"lintel": ("spawn_wait",), "linux": ("vfork_exec_wait", "spawn_wait", "fork_exec_wait")}
CALL_ROW, CALL_WHAT = "cheapest_call", "call another process and back, cheapest way"
# Rows that say themselves which way it was: (id, text, ways).
CHEAPEST = ((CALL_ROW, CALL_WHAT, CALLS), ("cheapest_start", "start a program and wait for its end, cheapest way", STARTS))

# Measured with a tenth of the operations, 3 repetitions and without the slow rows: their operations cost so much more.
BRIEF_PLACES = ("fuse", "pass")
SLOW_ROWS = "untar,grep,readdir_100000"
APPLICATION_ROWS = "postmark_whole,speedtest1_journal,speedtest1_wal,speedtest1_memory"
APPLICATION_ROWS_BRIEF = "postmark_whole,speedtest1_journal"  # our FUSE server's files cannot be mapped, as WAL needs it
# A directory in each allocation group: in an empty one XFS allocates a chunk of inodes for mkdir, frees it for rmdir, and
# both together cost it half as much again. ext4 has its inodes from mkfs, and each name more in a directory costs it.
XFS_ROOMS = "for room in 1 2 3 4 5 6 7 8; do mkdir -p /xfs/rooms/$room; done"
# By itself mkfs.ext4 makes 65,536 inodes in a GiB.
EXT4_WITH_INODES = """umount /ext4
mkfs.ext4 -q -F -b 4096 -N 131072 -E stride=512,stripe_width=512,lazy_itable_init=0,lazy_journal_init=0 /dev/pmem0
mount -t ext4 -o dax=always /dev/pmem0 /ext4"""
LEAST_MEM = "1g"  # of the boot that shows what a GiB more costs
QUICK_PLACES = ("ext4", "xfs", "tmpfs", "fuse")
LINTEL_SECONDS = 1500
LINUX_SECONDS = 1500
WALL_ROUNDS = 3
WALL_ROWS = ("null_call,read_8_seq,read_4k_seq,write_4k_fsync,stat,open_close,create_unlink,door_0,pipe_round_trip,"
             "eventfd_round_trip,futex_round_trip,anon_fault,munmap_1,munmap_16,munmap_256,munmap_4096,thread_ping_pong,"
             "thread_switch,spawn_wait,scale_read_1,scale_write_1,scale_create_1,scale_shared_read_1,scale_shared_write_1,"
             "scale_shared_create_1")
# Rows that need a second CPU.
WALL_ROWS_2 = WALL_ROWS + "".join(f",scale_{name}_2" for name in (
    "read", "write", "create", "shared_read", "shared_write", "shared_create")) + "".join(
        f",munmap_shared_{pages}" for pages in (1, 16, 256, 4096))
WALL_ROWS_LINTEL_2 = WALL_ROWS_2 + "".join(f",scale_{name}_{threads}" for name in (
    "loop", "null_call", "door_0", "door_6", "door_win4k", "door_nested") for threads in (1, 2))


@dataclass
class Job:
    """One boot."""
    name: str
    system: str              # lintel or linux
    variant: str             # lintel, lean or default: the columns' first part
    text: str                # Lintel: the shell's script; Linux: job.sh
    groups: tuple
    mode: str = "exact"      # or "wall-1", "wall-2": CPUs
    seconds: int = LINUX_SECONDS
    more: str = ""           # words for the kernel's command line
    applications: bool = False  # gets the programs of others, and the file tree
    programs: bool = False      # and cannot do without the programs
    only_facts: bool = False    # measures no row

    def exact(self):
        return self.mode == "exact"

    def cpus(self):
        return 1 if self.exact() else int(self.mode.split("-")[1])


def bench_words(groups, rows="", quick=False):
    words = " ".join(groups) + " --json" + (" --quick" if quick else "")
    return words + (f" --rows {rows}" if rows else "")


def places_of(places):
    return "".join(f" --dir /{place}" for place in places)


def lintel_job(name, groups, rows="", quick=False, mode="exact"):
    """`boot` first of all, and then what memory is like."""
    others = [group for group in groups if group != "boot"]
    commands = ["bench boot --json", "free", "zones"] if "boot" in groups else []
    if others:
        tree = " --tree /boot/share/tree.tar" if "programs" in groups else ""
        commands.append("bench " + bench_words(others, rows, quick) + tree)
    more = "tell-begin" if "boot" in groups else ""
    return Job(name, "lintel", "lintel", "; ".join(commands), tuple(groups), mode, LINTEL_SECONDS, more)


def linux_job(name, variant, groups, places=(), rows="", quick=False, mode="exact", more=""):
    lines = ["mount_xfs 1" if place == "xfs" and len(places) > 1 else f"mount_{place}" for place in places]
    lines += [XFS_ROOMS] if "xfs" in places else []
    lines += [EXT4_WITH_INODES] if "ext4" in places and "readdir_100000" in rows else []
    if "boot" in groups:
        lines += ["bench boot --json", "boot_facts"]
    words = " --tree /tree.tar --programs /bin" if "programs" in groups else ""
    others = [group for group in groups if group != "boot"]
    if others:
        lines.append("bench " + bench_words(others, rows, quick) + places_of(places) + words)
    return Job(name, "linux", variant, "\n".join(lines) + "\n", tuple(groups), mode, LINUX_SECONDS, more)


def exact_jobs(groups):
    """Linux at its best before Linux as it comes, and what takes long last: a run that is cut short has the better part."""
    jobs = []
    system = tuple(group for group in ("boot", "memory", "ipc") if group in groups)
    on_files = tuple(group for group in ("files", "programs") if group in groups)
    if system:
        jobs.append(lintel_job("exact-lintel-system", system))
    if on_files:
        jobs.append(lintel_job("exact-lintel-files", on_files))
    for variant in VARIANTS:
        if system:
            jobs.append(linux_job(f"exact-{variant}-system", variant, system))
        for place in LINUX_PLACES if on_files else ():
            brief = variant != "lean" or place in BRIEF_PLACES
            jobs.append(linux_job(f"exact-{variant}-{place}", variant, on_files, (place,), quick=brief))
    if "boot" in groups:
        jobs.append(Job("exact-lean-" + LEAST_MEM, "linux", "lean", "boot_facts\n", ("boot",), more="mem=" + LEAST_MEM, only_facts=True))
    return jobs + slow_jobs(on_files)


def slow_jobs(groups):
    """Programs of others, where the group is wanted; then what takes long by itself."""
    jobs = []
    if "programs" in groups:
        jobs.append(lintel_job("exact-lintel-programs", ("programs",), APPLICATION_ROWS))
        jobs += [linux_job(f"exact-lean-{place}-programs", "lean", ("programs",), (place,),
                           APPLICATION_ROWS_BRIEF if place in BRIEF_PLACES else APPLICATION_ROWS)
                 for place in LINUX_PLACES if place != "pass"]
    if groups:
        jobs.append(lintel_job("exact-lintel-slow", groups, SLOW_ROWS))
        jobs += [linux_job(f"exact-lean-{place}-slow", "lean", groups, (place,), SLOW_ROWS)
                 for place in LINUX_PLACES if place not in BRIEF_PLACES]
    for job in jobs:
        job.applications = "programs" in groups
        job.programs = job.name.endswith("-programs")
    return jobs


def quick_jobs():
    """Rows without files have their full count: they are cheap, and a few switches of context say little."""
    files = ",".join(row for group, row in ESSENTIAL if group == "files")
    others = ",".join([row for group, row in ESSENTIAL if group != "files"] + list(CALLS["lintel"] + CALLS["linux"]))
    jobs = [lintel_job("quick-lintel", ("boot", "memory", "ipc"), others),
            linux_job("quick-lean", "lean", ("boot", "memory", "ipc"), (), others)]
    jobs[0].text += "; bench " + bench_words(("files",), files, quick=True)
    more = linux_job("", "lean", ("files",), QUICK_PLACES, files, quick=True)
    jobs[1].text += more.text
    return jobs


def wall_jobs(groups):
    """Pairs in turn, so that a change of the host's load hits both systems alike."""
    wanted = tuple(group for group in GROUPS if group in groups and group not in ("boot", "programs"))
    jobs = []
    if not wanted:
        return jobs
    for turn in range(1, WALL_ROUNDS + 1):
        for cpus in (1, 2):
            mode = f"wall-{cpus}"
            jobs.append(lintel_job(f"{mode}-lintel-{turn}", wanted, WALL_ROWS if cpus == 1 else WALL_ROWS_LINTEL_2,
                                   mode=mode))
            places = ("ext4", "xfs", "fuse") if set(wanted) & {"files", "scaling"} else ()
            jobs.append(linux_job(f"{mode}-lean-{turn}", "lean", wanted, places,
                                  WALL_ROWS if cpus == 1 else WALL_ROWS_2, mode=mode, more="idle=poll"))
    return jobs


def is_kept(job):
    """Linux's exact figures repeat to the last tick as long as kernel, programs and commands are the same, and these change
    seldom: a later run takes them up. Lintel is what is being changed, and wall time never repeats."""
    return job.system == "linux" and job.exact()


def column_of(job, row):
    """(column, row id without place) of "ext4.stat" or "null_call"."""
    place, dot, rest = row.partition(".")
    return (f"{job.variant}.{place}", rest) if dot else (job.variant, row)


def column_title(column):
    variant, _, place = column.partition(".")
    if not place:
        return TITLES.get(variant, variant)
    return TITLES.get(place, place)
