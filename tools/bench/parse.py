# SPDX-License-Identifier: BSD-2-Clause
"""parse.py - a guest's output, line by line, into measurements, problems and facts."""
import json
import re

from bench import plan

ENDS = {"linux": "bench: end"}
UNITS = ("insn", "ns")
COSTS = ("operations", "tlb_flushes", "root_switches", "ipis", "switches")  # what Lintel's kernel counts of an operation
FIRST = re.compile(r"(?:bench: first|first user) instruction at TSC (\d+)$")
FACT = re.compile(r"bench: fact (\w+) (\d+)$")


def finite(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e18


def parse_row(line):
    """The measurement of a JSON line of bench, or None. A line that is torn or strange is not one."""
    start = line.find('{"row"')
    if start < 0:
        return None
    try:
        row = json.loads(line[start:])
    except ValueError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("row"), str) or not row["row"]:
        return None
    if isinstance(row.get("error"), str):
        return row
    if not finite(row.get("value")) or row.get("unit") not in UNITS:
        return None
    return {key: value for key, value in row.items() if key not in COSTS or finite(value)}


class Output:
    """What one boot has said so far."""

    def __init__(self, job):
        self.job = job
        self.measurements = []
        self.problems = []
        self.facts = {}
        self.ended = False

    def take(self, line):
        """One line; True once the guest has nothing more to say."""
        row = parse_row(line)
        if row is not None:
            self.take_row(row)
        elif "bench: problem: " in line:
            self.problems.append(line.split("bench: problem: ", 1)[1].strip())
        elif "panic" in line.lower():
            self.problems.append(line.strip())
        elif FIRST.search(line):
            self.facts["first_instruction_ns"] = int(FIRST.search(line).group(1))
        elif FACT.search(line):
            name, value = FACT.search(line).groups()
            self.facts[name] = int(value)
        else:
            self.take_lintel_fact(line)
        self.ended = self.ended or line.strip() == ENDS.get(self.job.system)
        return self.ended

    def incomplete(self):
        """Why the boot is not over in the way it should, or ''."""
        if not self.measurements and not (self.job.only_facts and self.facts):
            return "the guest ended without a figure"
        if self.job.system in ENDS and not self.ended:
            return f"the guest ended before its work did, after {len(self.measurements)} figures"
        return ""

    def take_row(self, row):
        column, name = plan.column_of(self.job, row["row"])
        unit = row.get("unit", "")
        if unit and (unit == "insn") != self.job.exact():
            self.problems.append(f"{row['row']}: measured in {unit} in mode {self.job.mode}")
            return
        measurement = {"mode": self.job.mode, "column": column, "row": name, "group": row.get("group", ""),
                       "what": row.get("what", name)}
        for key in ("value", "unit", "copy", "error", *COSTS):
            if key in row:
                measurement[key] = row[key]
        self.measurements.append(measurement)

    def take_lintel_fact(self, line):
        """`free` and `zones` of Lintel's shell."""
        if self.job.system != "lintel":
            return
        found = re.match(r"RAM\s+(\S+ \S+): (\S+ \S+) used", line)
        if found:
            self.facts["memory_used_bytes"] = size_of(found.group(2))
        found = re.match(r"kernel\s+(\S+ \S+) of that", line)
        if found:
            self.facts["kernel_bytes"] = size_of(found.group(1))
        found = re.match(r"ram\d+\s+RAM .*\s(\S+ \S+)$", line)
        if found:
            self.facts["metadata_per_gib_bytes"] = size_of(found.group(1))


def size_of(text):
    """'2.2 MiB' -> bytes."""
    number, unit = text.split(" ")
    return int(float(number.replace(",", "")) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}.get(unit, 1))
