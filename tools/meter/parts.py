# SPDX-License-Identifier: BSD-2-Clause
"""parts.py - the parts of a door call's round trip, and which code belongs to which. What is in no table appears under its
own name, so the budget is whole whatever the code looks like.

In assembly of the kernel, a macro of the table is a part; else a label that ends with a part's word (`call_look_up`,
`return_enter`) begins that part, which goes to the next label; else the label's own row counts."""
import re

LOOP, CLIENT, ENTRY, LOOK_UP, ACTIVATION, SWITCH = "the loop", "client stub", "entry", "look-up", "activation", "switch"
CLEAR, WINDOW, EXIT, SERVER_STUB, SERVER = "clear", "window", "exit", "server stub", "server's own work"
ORDER = (LOOP, CLIENT, ENTRY, LOOK_UP, WINDOW, ACTIVATION, SWITCH, CLEAR, EXIT, SERVER_STUB, SERVER)

WORDS = {"entry": ENTRY, "look_up": LOOK_UP, "enter": ACTIVATION, "activation": ACTIVATION, "switch": SWITCH, "clear": CLEAR,
         "window": WINDOW, "windows_shown": ACTIVATION, "leave_kernel": EXIT, "exit": EXIT}
WORD = re.compile(r"[._](" + "|".join(WORDS) + r")[._]?\d*$")
MACROS = {"LOOK_UP": LOOK_UP, "ENTER": ACTIVATION, "SWITCH": SWITCH, "SWITCH_ROOT": SWITCH, "CLEAR_FPU": CLEAR,
          "REMEMBERED": WINDOW, "SHOW": WINDOW, "HIDE": WINDOW, "SAVE_REGISTERS": ENTRY}
KERNEL = (
    (r"call_quick_(un)?map|window_\w+_quick|spin_(try_)?(un)?lock\w*|lock_check_\w+|phys_to_virt|return_special", WINDOW),
    (r"syscall_entry_fast|call_with_more|not_call|not_return", ENTRY),
)
PROGRAM = (
    (r"door_call", CLIENT),
    (r"kit_entry|kit_enter|reply", SERVER_STUB),
    (r"echo_(dispatch|reply|more|window|keep|forward|block)", SERVER),
    (r"clock_\w+|repeat_once|time_body|caller_run|round_of_\w+|second_main", LOOP),
    (r"(null_call|door_\w+|event_signal|signal_events|futex_wake|wake_words|yield_\w+)", LOOP),
)


def part_of(place):
    """The part's name; a label of its own where no table knows it."""
    table = PROGRAM
    if place.program == "kernel":
        if place.macro in MACROS:
            return MACROS[place.macro]
        word = WORD.search(place.label)
        if word and not place.label.startswith("syscall_"):
            return WORDS[word.group(1)]
        table = KERNEL
    label = re.sub(r"\.(part|cold|constprop|isra)(\.\d+)*$", "", place.label)
    for pattern, part in table:
        if re.fullmatch(pattern, label):
            return part
    return f"{place.program}: {label}"


def rank(part):
    """For sorting: the round trip's parts in their order, then the rest."""
    found = [at for at, name in enumerate(ORDER) if part.startswith(name)]
    return found[0] if found else len(ORDER)
