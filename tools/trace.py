#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""trace.py - turns what the shell's `trace dump` printed into files. Usage: tools/trace.py SERIAL-LOG OUT-DIR

OUT-DIR/trace.json      for https://ui.perfetto.dev or chrome://tracing: one track a thread, one a CPU
OUT-DIR/stacks.folded   for flamegraph.pl and speedscope: nanoseconds by process, door call, system call, fault

A door call is a slice from the message on to its return; what the server does lies within, on the caller's track. Time
that a thread spends switched out counts for nothing in the stacks."""
import collections
import json
import os
import re
import sys

EVENT = re.compile(r"@ (\d+) (\d+) (\d+) (\d+) (\w+) (\S+) 0x([0-9a-f]+) ?(\S*)")
PROCESS = re.compile(r"@process (\d+) (.+)")
VECTORS = {0xf0: "timer", 0xf1: "reschedule", 0xf2: "round", 0xfe: "APIC error", 0xff: "spurious"}
RING_RECORDS = 16384 - 8  # kernel/trace.c: what can be read of a ring that went round
CPU_TRACKS = 1000000  # thread numbers of the CPUs' own tracks

Event = collections.namedtuple("Event", "cpu time thread process kind detail value name")


def read(path):
    events, names = [], {0: "kernel"}
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            line = line.strip()
            found = EVENT.match(line)
            if found:
                cpu, time, thread, process, kind, detail, value, name = found.groups()
                events.append(Event(int(cpu), int(time), int(thread), int(process), kind, detail, int(value, 16), name))
                continue
            found = PROCESS.match(line)
            if found:
                names[int(found.group(1))] = found.group(2)
    events.sort(key=lambda event: event.time)  # stable: events of a CPU stay in their order
    return events, names


class Thread:
    def __init__(self, home):
        self.home = home
        self.stack = []    # what it is in: (kind, frame's text)
        self.since = None  # on a CPU since; None: it is not
        self.process = home
        self.message = ""
        self.answered = False  # a pager's door_return, whose end is still to come


class Converter:
    def __init__(self, names):
        self.names = names
        self.threads = {}
        self.out = []
        self.folded = collections.Counter()
        self.tracks = {}  # a CPU's track -> name of the slice that is open there

    def process_name(self, pid):
        return self.names.get(pid, f"process {pid}")

    def thread(self, event):
        if event.thread not in self.threads:
            found = self.threads[event.thread] = Thread(event.process)
            found.since = event.time
        return self.threads[event.thread]

    def charge(self, thread, time):
        if thread.since is not None and time > thread.since:
            frames = [self.process_name(thread.home)] + [text for _, text in thread.stack]
            self.folded[";".join(frames)] += time - thread.since
        if thread.since is not None:
            thread.since = time

    def emit(self, phase, event, name, track=None, **arguments):
        line = {"ph": phase, "ts": event.time / 1000, "pid": 1 if track is None else 2,
                "tid": event.thread if track is None else track, "name": name}
        if arguments:
            line["args"] = arguments
        self.out.append(line)

    def begin(self, thread, event, kind, name, **arguments):
        self.charge(thread, event.time)
        thread.stack.append((kind, name))
        self.emit("B", event, name, **arguments)

    def end(self, thread, event, kind, **arguments):
        """Ends the innermost slice of that kind, and what is still open in it. One that began before tracing: nothing."""
        if kind not in [each for each, _ in thread.stack]:
            return
        self.charge(thread, event.time)
        while True:
            each, name = thread.stack.pop()
            self.emit("E", event, name, **(arguments if each == kind else {}))
            if each == kind:
                return

    def door(self, thread, event, pid, message):
        self.begin(thread, event, "door", f"{self.process_name(pid)}: {message or '?'}")

    def add(self, event):
        if event.kind == "switch":
            self.switch(event)
            return
        if event.kind.startswith("interrupt"):
            number = int(event.detail)
            name = VECTORS.get(number, f"line vector 0x{number:x}")
            phase = "E" if event.kind.endswith("_end") else "B"
            self.emit(phase, event, name, CPU_TRACKS + 500 + event.cpu)
            return
        if event.thread:
            getattr(self, "on_" + event.kind)(self.thread(event), event)

    def on_syscall(self, thread, event):
        thread.process = event.process
        thread.answered = False
        if event.detail == "door_call":
            thread.message = event.name
        elif event.detail != "door_return":
            self.begin(thread, event, "syscall", event.detail, value=hex(event.value))

    def on_syscall_end(self, thread, event):
        """Door calls have no events of their own: the process in which the thread goes on tells of them."""
        if event.detail == "door_call":
            if event.process != thread.process:
                self.door(thread, event, event.process, thread.message)
        elif event.detail == "door_return":
            if event.process != thread.process and not thread.answered:
                self.end(thread, event, "door")
        else:
            self.end(thread, event, "syscall", result=event.name or hex(event.value))

    def on_door(self, thread, event):
        """The kernel's own, to a pager."""
        self.begin(thread, event, "pager", f"{self.process_name(int(event.detail))}: {event.name or '?'}")

    def on_door_end(self, thread, event):
        self.end(thread, event, "pager", result=event.name)
        thread.answered = True  # its door_return is over with that

    def on_fault(self, thread, event):
        kind = ("read", "write", "execute")[int(event.detail) % 3]
        self.begin(thread, event, "fault", f"fault {kind}", address=hex(event.value))

    def on_fault_end(self, thread, event):
        self.end(thread, event, "fault", result=event.name)

    def on_exception(self, _, event):
        self.emit("i", event, f"exception {event.detail}", rip=hex(event.value))

    def switch(self, event):
        track = CPU_TRACKS + event.cpu
        if event.thread:
            old = self.thread(event)
            self.charge(old, event.time)
            old.since = None
        self.end_track(event, track)
        new = int(event.detail)
        if new:
            self.threads.setdefault(new, Thread(event.value)).since = event.time
            self.tracks[track] = self.process_name(event.value)
            self.emit("B", event, self.tracks[track], track, thread=new)

    def end_track(self, event, track):
        """Who has run there so far; nothing at the first switch of the trace."""
        if track in self.tracks:
            self.emit("E", event, self.tracks.pop(track), track)

    def finish(self, last):
        for number, thread in self.threads.items():
            self.charge(thread, last.time)
            while thread.stack:
                self.emit("E", last._replace(thread=number), thread.stack.pop()[1])
            self.out.append({"ph": "M", "pid": 1, "tid": number, "name": "thread_name",
                             "args": {"name": f"{self.process_name(thread.home)} {number}"}})
        for track in list(self.tracks):
            self.end_track(last, track)
        for track in sorted({line["tid"] for line in self.out if line["pid"] == 2}):
            number = track - CPU_TRACKS
            name = f"CPU {number}" if number < 500 else f"CPU {number - 500} interrupts"
            self.out.append({"ph": "M", "pid": 2, "tid": track, "name": "thread_name", "args": {"name": name}})
        for pid, name in ((1, "threads"), (2, "CPUs")):
            self.out.append({"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}})


def convert(events, names):
    converter = Converter(names)
    for event in events:
        converter.add(event)
    if events:
        converter.finish(events[-1])
    return converter


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    log, out = arguments
    events, names = read(log)
    if not events:
        print(f"trace: no event in {log}: did the script get as far as `trace dump`?", file=sys.stderr)
        return 1
    made = convert(events, names)
    os.makedirs(out, exist_ok=True)
    paths = [os.path.join(out, name) for name in ("trace.json", "stacks.folded")]
    with open(paths[0], "w", encoding="utf-8") as file:
        json.dump({"traceEvents": made.out, "displayTimeUnit": "ns"}, file)
    with open(paths[1], "w", encoding="utf-8") as file:
        file.writelines(f"{stack} {time}\n" for stack, time in sorted(made.folded.items()))
    kinds = collections.Counter(event.kind for event in events if not event.kind.endswith("_end"))
    for cpu, count in sorted(collections.Counter(event.cpu for event in events).items()):
        if count >= RING_RECORDS:
            print(f"trace: CPU {cpu}'s ring was full: it has the last {count} events, from "
                  f"{next(event.time for event in events if event.cpu == cpu) / 1e9:.6f} s on")
    print(f"trace: {len(events)} events ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())})")
    print(f"trace: {paths[0]} (open in ui.perfetto.dev), {paths[1]} (flame graph)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
