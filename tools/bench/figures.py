# SPDX-License-Identifier: BSD-2-Clause
"""figures.py - figures in the docs come from a committed run. In a page, what stands between the lines
`<!-- bench: FILE GROUP... -->` and `<!-- bench end -->` is that run's tables of these groups, whole or, as GROUP=ROW,ROW, in part;
`check` compares, `write` puts them there."""
import glob
import re

from bench import store, tables

PAGES = ("README.md", "docs/*.md", "tests/bench/*.md")
BLOCK = re.compile(r"(<!-- bench: (\S+)((?: [a-z0-9_=,]+)*) -->\n)(.*?)(<!-- bench end -->)", re.S)
COLUMNS = ("lintel", "lintel.pmem", "lintel.tmp", "lean", "lean.ext4", "lean.xfs", "lean.tmpfs", "lean.fuse", "lean.pass")


def table_lines(table, rows):
    from bench.report import full_title
    columns = [column for column in COLUMNS if column in table.columns]
    yield "| " + " | ".join([table.group] + [full_title(column) for column in columns] + ["ratio"]) + " |"
    yield "|---" * (len(columns) + 2) + "|"
    for row in [row for row in table.rows if not rows or row in rows]:
        cells = [tables.number_text(table.value(row, column)) for column in columns]
        if any(cell != "-" for cell in cells):
            yield "| " + " | ".join([table.what[row]] + cells + [tables.ratio_text(table.ratio(row))]) + " |"


def block_text(path, words):
    """`words`: GROUP or GROUP=ROW,ROW; none: all groups."""
    rows = {word.partition("=")[0]: [row for row in word.partition("=")[2].split(",") if row] for word in words}
    found = [table for table in tables.tables_of(store.load_run(path)) if table.mode == "exact"
             and (not rows or table.group in rows)]
    return "\n".join("\n".join(table_lines(table, rows.get(table.group))) + "\n" for table in found)


def pages():
    return sorted(path for pattern in PAGES for path in glob.glob(pattern))


def renew(text):
    return BLOCK.sub(lambda found: found.group(1) + block_text(found.group(2), found.group(3).split()) + found.group(5), text)


def check(write):
    """Complaints, a line each; with `write` the pages are put right instead."""
    complaints = []
    for path in pages():
        with open(path, encoding="utf-8") as file:
            text = file.read()
        new = renew(text)
        if new == text:
            continue
        if not write:
            complaints.append(f"{path}: figures differ from the committed run: python3 -B tools/bench figures --write")
            continue
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
    return complaints
