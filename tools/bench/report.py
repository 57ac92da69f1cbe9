# SPDX-License-Identifier: BSD-2-Clause
"""report.py - index.html: tables, drawings (SVG, inline), the machine; operations/: a page for each operation. Needs no network.

draw.py draws, with matplotlib; it runs in whichever python has that, and without it the page has tables alone."""
import html
import os
import subprocess
import sys

from bench import plan, tables

STYLE = """body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:78em;padding:0 1em;color:#1b1f24}
table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}td,th{padding:.2em .7em;text-align:right;
border-bottom:1px solid #e3e6ea}td:first-child,th:first-child{text-align:left}.best{font-weight:600}.bad{color:#a40e26}
.note{color:#57606a;max-width:60em}svg{max-width:100%;height:auto}summary{cursor:pointer;padding:.3em 0}
dt{font-weight:600;margin-top:.5em}dd{margin:0;overflow-wrap:anywhere;color:#57606a}nav a{margin-right:1em}"""
DRAW_SECONDS = 180
UNITS = {"insn": "Guest instructions per operation (exact, 1 CPU)", "bytes": "Bytes"}


def drawing_pythons():
    return list(dict.fromkeys([sys.executable, "/usr/bin/python3"]))


def draw(run_path, folder):
    """'' or why there are no drawings. SVG files in `folder`."""
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "draw.py")
    why = ""
    for python in drawing_pythons():
        if not os.path.exists(python):
            continue
        try:
            result = subprocess.run([python, "-B", tool, run_path, folder], capture_output=True, text=True, errors="replace",
                                    timeout=DRAW_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"drawing failed: {error}"
            continue
        if result.returncode == 0:
            return ""
        if "No module named" not in result.stderr:
            lines = result.stderr.strip().splitlines() or ["no message"]
            return f"drawing failed: {lines[-1]}; the report has tables alone"
        why = "matplotlib is missing (Debian package python3-matplotlib); the report has tables alone"
    return why


def inline_svg(path):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return ""
    return text[text.find("<svg"):]


def table_html(table):
    costs = "".join(f"<th>{head}</th>" for head in tables.COSTS.values()) if table.costs else ""
    heads = "".join(f"<th>{html.escape(full_title(column))}</th>" for column in table.columns)
    lines = [f"<table><tr><th>{html.escape(table.group)}</th>{heads}<th>copy alone</th><th>ratio</th>{costs}</tr>"]
    for row in table.rows:
        cells = "".join(cell_html(table.cells.get((row, column))) for column in table.columns)
        copy = tables.number_text(table.copies[row]) if row in table.copies else ""
        lines.append(f'<tr><td><a href="operations/{anchor(table, row)}.html">{html.escape(table.what[row])}</a></td>{cells}'
                     f'<td>{copy}</td><td class="best">{tables.ratio_text(table.ratio(row))}</td>'
                     + "".join(f"<td>{cell}</td>" for cell in table.cost_cells(row)) + "</tr>")
    return "\n".join(lines) + "</table>" + "".join(f"<p class='note'>{line.strip()}</p>" for line in tables.costs_line(table))


def budget_html(budget):
    """A bar for each part of a row."""
    lines = [f"<h3>Where the {budget['value']:.0f} instructions of {html.escape(budget['row'])} go</h3><table>"]
    most = max((count for _, count in budget["parts"]), default=1)
    lines += [f"<tr><td>{html.escape(part)}</td><td>{count:.1f}</td><td style='text-align:left'><div style='background:#1f6feb;"
              f"height:.8em;width:{count / most * 20:.1f}em'></div></td></tr>" for part, count in budget["parts"]]
    return "\n".join(lines) + "</table>"


def full_title(column):
    variant, _, place = column.partition(".")
    name = plan.TITLES.get(variant, variant)
    return f"{name} {plan.TITLES.get(place, place)}" if place else name


def cell_html(one):
    if one is None:
        return "<td></td>"
    if "error" in one:
        return f'<td class="bad" title="{html.escape(one["error"])}">-</td>'
    return f"<td>{tables.number_text(one['value'])}</td>"


def anchor(table, row):
    return f"{table.mode}-{table.group}-{row}"


def figure_lines(table, row):
    """Each column's own figure, or why there is none."""
    for column in table.columns:
        one = table.cells.get((row, column))
        if one and "error" in one:
            yield f"<tr><td>{html.escape(full_title(column))}</td><td class='bad' colspan='2'>did not run: {html.escape(one['error'])}</td></tr>"
        elif one:
            ratio = one["value"] / table.value(row, table.lintel_column()) if table.value(row, table.lintel_column()) else None
            yield (f"<tr><td>{html.escape(full_title(column))}{html.escape(': ' + one['way']) if 'way' in one else ''}</td>"
                   f"<td>{tables.number_text(one['value'])}</td><td>{tables.ratio_text(ratio)}</td></tr>")


def operation_page(table, row, others, folder):
    """All about one operation: its drawing, each figure, what could not be measured; `others`: the same row in other modes."""
    unit = next((one["unit"] for (name, _), one in table.cells.items() if name == row and "unit" in one), "")
    lines = [page_head(table.what[row]), "<p><a href='../index.html'>all operations</a></p>",
             f"<h1>{html.escape(table.what[row])}</h1>",
             f"<p class='note'>{html.escape(UNITS.get(unit, unit))}; the ratio against the best rival is "
             f"<b>{tables.ratio_text(table.ratio(row))}</b>. Row {html.escape(row)} of group {html.escape(table.group)} "
             "(tests/bench/README.md); its work is checked after every repetition.</p>",
             inline_svg(os.path.join(folder, anchor(table, row) + ".svg")),
             "<table><tr><th>system</th><th>figure</th><th>by Lintel's</th></tr>", *figure_lines(table, row), "</table>"]
    if row in table.copies:
        lines.append(f"<p class='note'>Moving the bytes once costs {tables.number_text(table.copies[row])} of that by itself.</p>")
    if row in table.costs:
        costs = ", ".join(f"{head}: {cell}" for head, cell in zip(tables.COSTS.values(), table.cost_cells(row)))
        lines.append(f"<p class='note'>What it costs other CPUs (Lintel, per operation, 2 CPUs): {html.escape(costs)}.</p>")
    for other in others:
        own = other.cells[row, other.lintel_column()]
        lines.append(f"<p>{html.escape(tables.heading_of(other))}: <b>{tables.ratio_text(other.ratio(row))}</b>, spread of Lintel's "
                     f"own {html.escape(tables.spread_text(own))}</p>")
    return "\n".join(lines) + "</html>\n"


def wall_html(table):
    lines = [f"<table><tr><th>{html.escape(table.group)}</th><th>ratio</th><th>spread of Lintel's own</th></tr>"]
    for row in table.rows:
        if table.ratio(row) is not None:
            own = table.cells[row, table.lintel_column()]
            lines.append(f"<tr><td>{html.escape(table.what[row])}</td><td class='best'>{tables.ratio_text(table.ratio(row))}</td>"
                         f"<td>{html.escape(tables.spread_text(own))}</td></tr>")
    note = tables.busy_note(table)
    return "\n".join(lines) + "</table>" + (f"<p class='bad'>{html.escape(note)}</p>" if note else "")


def page_head(title):
    return f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title><style>{STYLE}</style>"


def page_html(run, folder):
    found = tables.tables_of(run)
    lines = [page_head("Lintel beside Linux"), "<h1>Lintel beside Linux, on the same emulated machine</h1>",
             f"<p class='note'>{html.escape(run['started'])}, {run['seconds']} s. A ratio is the rival's cost divided by "
             "Lintel's: above 1, Lintel does with less. For files the rival is the cheaper of ext4-dax and xfs-dax, "
             "and Lintel is pmfs. Every row checks its own work; its name leads to a page of its own.</p>"]
    lines += [f"<p class='bad'>{html.escape(line)}</p>" for line in run["problems"]]
    lines.append("<nav>" + "".join(f'<a href="#{t.mode}-{t.group}">{t.group}, {t.mode}</a>' for t in found) + "</nav>")
    for table in found:
        lines.append(f'<h2 id="{table.mode}-{table.group}">{html.escape(tables.heading_of(table))}</h2>')
        if table.mode != "exact":
            lines += [wall_html(table), inline_svg(os.path.join(folder, f"{table.mode}-scaling.svg"))
                      if table.group == "scaling" else ""]
            continue
        lines.append(inline_svg(os.path.join(folder, f"{table.mode}-{table.group}.svg")))
        lines.append(table_html(table))
        lines += [budget_html(budget) for budget in run.get("budgets", ())] if table.group == "ipc" else []
    lines += ["<h2>What this does not show</h2>", f"<p class='note'>{html.escape(run['not_shown'])}</p>", "<h2>The machine</h2><dl>"]
    lines += [f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(text))}</dd>" for name, text in run["machine"].items()]
    return "\n".join(lines) + "</dl></html>\n"


def write_page(run, run_path, path):
    """'' or why the page has no drawings."""
    folder = os.path.join(os.path.dirname(path), "drawings")
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    why = draw(run_path, folder)
    write_text(path, page_html(run, folder))
    write_operations(run, folder, os.path.join(os.path.dirname(path), "operations"))
    return why


def write_operations(run, drawings, folder):
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    found = tables.tables_of(run)
    for table in found:
        for row in table.rows if table.mode == "exact" else ():
            others = [other for other in found if other.mode != "exact" and other.group == table.group and other.ratio(row) is not None]
            write_text(os.path.join(folder, anchor(table, row) + ".html"), operation_page(table, row, others, drawings))


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
