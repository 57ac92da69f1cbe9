# SPDX-License-Identifier: BSD-2-Clause
"""draw.py - draws a saved run with matplotlib: draw.py RUN.json FOLDER. One SVG a group (ratios), one an operation."""
import itertools
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import matplotlib  # noqa: E402

matplotlib.use("svg")
from matplotlib import pyplot, ticker  # noqa: E402

from bench import report, store, tables  # noqa: E402

CURVES_IN_LINE = 4
LINTEL, OTHER, AS_IT_COMES, WORSE = "#1f6feb", "#8c959f", "#d0d7de", "#cf222e"

SYSTEM_COLOURS = dict(zip(tables.all_columns(), itertools.cycle(pyplot.rcParams["axes.prop_cycle"].by_key()["color"])))


def save(figure, folder, name):
    figure.savefig(os.path.join(folder, name + ".svg"), bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def draw_ratios(table, folder):
    rows = [row for row in table.rows if table.ratio(row)]
    if not rows:
        return
    rows.reverse()
    ratios = [table.ratio(row) for row in rows]
    figure, axes = pyplot.subplots(figsize=(9, 0.8 + 0.27 * len(rows)))
    axes.barh([table.what[row] for row in rows], [ratio - 1 for ratio in ratios], left=1,
              color=[LINTEL if ratio >= 1 else WORSE for ratio in ratios])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"x{value:g}"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.axvline(1, color="black", linewidth=0.8)
    low, high = min(ratios + [1]), max(ratios + [1])
    axes.set_xlim(low / 1.5, high * 2)
    for number, ratio in enumerate(ratios):
        axes.text(max(ratio, 1) * 1.04, number, tables.ratio_text(ratio), va="center", fontsize=8)
    axes.set_xlabel("the rival's cost divided by Lintel's; right of 1 Lintel does with less")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, folder, f"{table.mode}-{table.group}")


def colour_of(column):
    return LINTEL if column.startswith("lintel") else OTHER if column.startswith("lean") else AS_IT_COMES


def draw_operation(table, row, folder):
    columns = [column for column in table.columns if table.value(row, column)]
    if len(columns) < 2:
        return
    columns.reverse()
    values = [table.value(row, column) for column in columns]
    figure, axes = pyplot.subplots(figsize=(8, 0.6 + 0.28 * len(columns)))
    axes.barh([report.full_title(column) for column in columns], values, color=[colour_of(column) for column in columns])
    for number, value in enumerate(values):
        axes.text(value, number, " " + tables.number_text(value), va="center", fontsize=8)
    axes.set_xlim(0, max(values) * 1.15)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, folder, report.anchor(table, row))


def draw_scaling(table, folder):
    """One small curve a row: throughput with one thread and with two, by that with one."""
    found = list(tables.scaling_factors(table))
    if not found:
        return
    lines = -(-len(found) // CURVES_IN_LINE)
    figure, grid = pyplot.subplots(lines, CURVES_IN_LINE, figsize=(2.6 * CURVES_IN_LINE, 2.8 * lines), sharey=True, squeeze=False,
                                   layout="constrained")
    all_axes = list(grid.flat)
    for axes in all_axes[len(found):]:
        axes.set_visible(False)
    for axes, (what, factors) in zip(all_axes, found):
        axes.plot([1, 2], [1, 2], color=AS_IT_COMES, linestyle="--")
        for column, factor in factors.items():
            axes.plot([1, 2], [1, factor], marker="o", label=report.full_title(column), color=SYSTEM_COLOURS[column])
        axes.set_title(what.replace(", ", ",\n"), fontsize=8)
        axes.set_xticks([1, 2], ["1 thread", "2 threads"])
        axes.set_ylim(0, 2.2)
        axes.spines[["top", "right"]].set_visible(False)
    for line in grid:
        line[0].set_ylabel("throughput, by that of 1")
    known = {label: handle for axes in all_axes for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(known.values(), known.keys(), fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=len(known))
    save(figure, folder, f"{table.mode}-scaling")


def main(arguments):
    run, folder = store.load_run(arguments[0]), arguments[1]
    pyplot.rcParams.update({"svg.hashsalt": "lintel", "font.size": 9})
    for table in tables.tables_of(run):
        if table.group == "scaling" and table.mode != "exact":
            draw_scaling(table, folder)
        if table.mode == "exact":
            draw_ratios(table, folder)
            for row in table.rows:
                draw_operation(table, row, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
