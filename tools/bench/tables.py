# SPDX-License-Identifier: BSD-2-Clause
"""tables.py - a run as tables: text for the terminal, CSV, and what changed between two runs.

The ratio is the rival's cost divided by Lintel's: above 1, Lintel does with less."""
import csv
import io

from bench import plan

CHANGE_MIN = 0.01  # what bench-diff shows, as a fraction
QUIET_MIN = 1.8    # of two threads by one, in a loop without calls: less, and others had the CPUs
WHAT_WIDTH = 60
CELL_WIDTH = 11
# What an operation of Lintel's costs other CPUs; counted with 2 of them (tools/meter).
COSTS = {"tlb_flushes": "TLB flushes", "ipis": "IPIs", "shared_stores": "shared stores"}
PEERS = {"pmem": plan.RIVALS, "tmp": ("lean.tmpfs",)}


def number_text(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}"


def ratio_text(ratio):
    if ratio is None:
        return "-"
    return f"x{ratio:.0f}" if ratio >= 100 else f"x{ratio:.1f}" if ratio >= 10 else f"x{ratio:.2f}"


class Table:
    """One group in one mode: rows in order of appearance, columns in the plan's order."""

    def __init__(self, measurements, mode, group):
        self.mode, self.group = mode, group
        self.cells, self.what, self.copies, self.costs = {}, {}, {}, {}
        for one in measurements:
            if one["mode"] == mode and one["group"] == group:
                self.cells[one["row"], one["column"]] = one
                self.what.setdefault(one["row"], one["what"])
                if one.get("copy"):
                    self.copies.setdefault(one["row"], one["copy"])
                if "shared_stores" in one:
                    self.costs[one["row"]] = {key: one.get(key) for key in COSTS}
        for row, what, ways in plan.CHEAPEST if group == "ipc" else ():
            self.add_cheapest(row, what, ways)
        self.rows = list(self.what)
        present = {column for _, column in self.cells}
        self.columns = [column for column in all_columns() if column in present]
        self.columns += sorted(present - set(self.columns))

    def add_cheapest(self, row, what, ways):
        """An extra row that sets each system's own way beside the other's; it says which way it was."""
        for column in {column for _, column in self.cells}:
            known = [self.cells[way, column] for way in ways["lintel" if column == "lintel" else "linux"]
                     if "value" in self.cells.get((way, column), {})]
            if known:
                best = min(known, key=lambda one: one["value"])
                self.cells[row, column] = dict(best, row=row, way=best["row"])
                self.what[row] = what

    def value(self, row, column):
        return self.cells.get((row, column), {}).get("value")

    def cost_cells(self, row):
        """Of the columns COSTS, where the table has them."""
        return [number_text(self.costs.get(row, {}).get(key)) for key in COSTS] if self.costs else []

    def rivals(self, column="lintel.pmem"):
        """Columns that Lintel's column is set against."""
        place = column.partition(".")[2]
        return PEERS.get(place, ()) if place else ("lean",)

    def lintel_column(self):
        return "lintel.pmem" if any("." in column for column in self.columns) else "lintel"

    def ratio(self, row, column=None):
        """The best rival's cost by Lintel's; None where one of them is missing."""
        column = column or self.lintel_column()
        own = self.value(row, column)
        others = [value for value in (self.value(row, rival) for rival in self.rivals(column)) if value is not None]
        return min(others) / own if own and others else None

    def errors(self):
        """(row, column, why) of what could not be measured."""
        return [(row, column, one["error"]) for (row, column), one in self.cells.items() if "error" in one]


def all_columns():
    columns = ["lintel"] + [f"lintel.{place}" for place in plan.LINTEL_PLACES]
    for variant in plan.VARIANTS:
        columns += [variant] + [f"{variant}.{place}" for place in plan.LINUX_PLACES]
    return columns


def tables_of(run):
    """All tables of a run that have rows, exact ones first."""
    from bench.store import combine
    measurements = combine(run["measurements"])
    found = []
    for mode in sorted({one["mode"] for one in measurements}):
        for group in plan.GROUPS:
            table = Table(measurements, mode, group)
            if table.rows:
                found.append(table)
    return found


def heading_of(table):
    if table.mode == "exact" and table.group == "boot":
        return "boot: guest instructions, or bytes (exact, 1 CPU)"
    if table.mode == "exact":
        return f"{table.group}: guest instructions per operation (exact, 1 CPU)"
    cpus = table.mode.split("-")[1]
    return f"{table.group}: wall time, {cpus} CPU{'s' if cpus != '1' else ''}: only the ratio means something"


def columns_to_print(table):
    """Sets of columns that stand side by side: the last column of a set is the ratio."""
    lean = [column for column in table.columns if not column.startswith("default.")]
    other = [column for column in table.columns if column.startswith("default.")]
    return [lean] + ([other] if other else [])


def text_lines(table, columns, with_ratio):
    title = heading_of(table) if with_ratio else f"{table.group}: Linux as it comes"
    heads = [plan.column_title(column) for column in columns]
    has_copies = bool(table.copies) and with_ratio
    heads += ["copy alone"] if has_copies else []
    heads += ["ratio"] if with_ratio else []
    heads += list(COSTS.values()) if table.costs and with_ratio else []
    widths = [max(CELL_WIDTH, len(head)) for head in heads]
    yield title
    yield " " * WHAT_WIDTH + " ".join(head.rjust(width) for head, width in zip(heads, widths))
    for row in table.rows:
        cells = [number_text(table.value(row, column)) for column in columns]
        if all(cell == "-" for cell in cells):
            continue
        cells += [number_text(table.copies.get(row, 0)) if table.copies.get(row) else ""] if has_copies else []
        cells += [ratio_text(table.ratio(row))] + table.cost_cells(row) if with_ratio else []
        yield ("  " + table.what[row])[:WHAT_WIDTH].ljust(WHAT_WIDTH) + \
            " ".join(cell.rjust(width) for cell, width in zip(cells, widths))


def wall_lines(table):
    """Only ratios, with the spread of Lintel's and the rival's own figures."""
    yield heading_of(table)
    yield " " * WHAT_WIDTH + "ratio".rjust(CELL_WIDTH) + "  spread (Lintel; rival)"
    for row in table.rows:
        ratio = table.ratio(row)
        if ratio is None:
            continue
        spreads = [spread_text(table.cells.get((row, column))) for column in (table.lintel_column(), *table.rivals(
            table.lintel_column())) if (row, column) in table.cells]
        yield ("  " + table.what[row])[:WHAT_WIDTH].ljust(WHAT_WIDTH) + ratio_text(ratio).rjust(CELL_WIDTH) + "  " + \
            "; ".join(spreads)


def spread_text(one):
    if not one or "least" not in one or not one["value"]:
        return "once"
    return f"{(one['least'] / one['value'] - 1) * 100:+.0f}..{(one['most'] / one['value'] - 1) * 100:+.0f} %"


def scaling_factors(table):
    """(what, {column: throughput of two threads by that of one}) of each pair of rows NAME_1, NAME_2."""
    for row in table.rows:
        other = row[:-1] + "2"
        if not row.endswith("_1") or other not in table.rows:
            continue
        factors = {column: table.value(row, column) / table.value(other, column) for column in table.columns
                   if table.value(row, column) and table.value(other, column)}
        if factors:
            yield table.what[row].rsplit(",", 1)[0], factors


def busy_note(table):
    """In words, if the machine did not give two threads two CPUs: a loop without calls is measured for that."""
    one, two = table.value("scale_loop_1", "lintel"), table.value("scale_loop_2", "lintel")
    if not one or not two or one / two >= QUIET_MIN:
        return ""
    return f"the machine was busy: a loop without calls ran {ratio_text(one / two)} as fast with 2 threads as with 1; wall time says little"


def scaling_lines(table):
    found = list(scaling_factors(table)) if table.group == "scaling" else []
    if not found:
        return
    columns = [column for column in table.columns if any(column in factors for _, factors in found)]
    if busy_note(table):
        yield "  " + busy_note(table)
    yield "  throughput of 2 threads by that of 1:"
    yield " " * WHAT_WIDTH + " ".join(plan.column_title(column).rjust(CELL_WIDTH) for column in columns)
    for what, factors in found:
        yield ("  " + what)[:WHAT_WIDTH].ljust(WHAT_WIDTH) + \
            " ".join(ratio_text(factors.get(column)).rjust(CELL_WIDTH) for column in columns)


def costs_line(table):
    return ["  TLB flushes, IPIs and stores that take a line from the other CPU: Lintel's, per operation, with 2 CPUs "
            "(null call and doors: both at once)"] if table.costs else []


def budget_lines(budget):
    """Where a row's instructions go."""
    yield f"budget of {budget['row']} ({budget['what']}): guest instructions per operation"
    for part, count in budget["parts"]:
        yield ("  " + part)[:WHAT_WIDTH].ljust(WHAT_WIDTH) + number_text(count).rjust(CELL_WIDTH)
    yield "  the empty loop, not in the row".ljust(WHAT_WIDTH) + f"{budget['value'] - budget['total']:.1f}".rjust(CELL_WIDTH)
    yield "  the row".ljust(WHAT_WIDTH) + number_text(budget["value"]).rjust(CELL_WIDTH)
    yield f"  of these {budget['locked']:.1f} locked, {budget['root_loads']:.1f} loads of a root"


def ways_lines(table):
    for name, what, _ in plan.CHEAPEST:
        ways = [f"{plan.column_title(column)}: {one['way']}" for (row, column), one in sorted(table.cells.items())
                if row == name and "way" in one]
        if ways:
            yield f"  {what}: {', '.join(ways)}"


def table_text(table):
    lines = []
    if table.mode != "exact":
        lines += list(wall_lines(table)) + list(scaling_lines(table))
    else:
        for number, columns in enumerate(columns_to_print(table)):
            lines += list(text_lines(table, columns, number == 0)) + [""]
    lines += list(ways_lines(table)) + (costs_line(table) if table.mode == "exact" else [])
    for row, column, why in table.errors():
        lines.append(f"  {row} did not run on {column}: {why}")
    return "\n".join(lines).rstrip() + "\n"


def run_text(run):
    text = "\n".join(table_text(table) for table in tables_of(run))
    text += "".join("\n" + "\n".join(budget_lines(budget)) + "\n" for budget in run.get("budgets", ()))
    return text + "".join(f"problem: {line}\n" for line in run.get("problems", ()))


def run_csv(run):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["mode", "group", "row", "what", "column", "value", "unit", "copy", "least", "most", *COSTS, "error", "ratio"])
    for table in tables_of(run):
        for row in table.rows:
            for column in table.columns:
                one = table.cells.get((row, column))
                if one:
                    ratio = table.ratio(row, column) if column.startswith("lintel") else None
                    writer.writerow([table.mode, table.group, row, table.what[row], column, one.get("value", ""),
                                     one.get("unit", ""), one.get("copy", ""), one.get("least", ""), one.get("most", ""),
                                     *(one.get(key, "") for key in COSTS), one.get("error", ""), f"{ratio:.3f}" if ratio else ""])
    return out.getvalue()


def diff_text(old, new):
    """What changed from one run to the other: a line for each figure that moved by 1 % or more."""
    def figures(run):
        return {(table.mode, table.group, row, column): (one, table.what[row])
                for table in tables_of(run) for (row, column), one in table.cells.items()}
    before, after = figures(old), figures(new)
    lines, same = [], 0
    for key in after:
        mode, group, row, column = key
        place = f"{mode} {column:14} {group + '.' + row:32}"
        new_value = after[key][0].get("value")
        if key not in before:
            lines.append(f"{place} new: {number_text(new_value)}")
            continue
        old_value = before[key][0].get("value")
        if old_value is None or new_value is None:
            if old_value != new_value:
                lines.append(f"{place} {number_text(old_value)} -> {number_text(new_value)}")
            continue
        change = new_value / old_value - 1 if old_value else (0.0 if not new_value else float("inf"))
        if abs(change) >= CHANGE_MIN:
            lines.append(f"{place} {number_text(old_value)} -> {number_text(new_value)}  {change * 100:+.1f} %")
        else:
            same += 1
    lines += [f"{key[0]} {key[3]:14} {key[1] + '.' + key[2]:32} gone" for key in before if key not in after]
    return "\n".join(lines + [f"{len(lines)} figures changed by 1 % or more, {same} did not"]) + "\n"
