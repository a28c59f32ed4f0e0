#!/usr/bin/python3
"""Puts the figures of a data.json into docs/benchmarks.md, between its markers, and draws them as SVG beside it."""

import argparse
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True

import peers as table
import summary

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Colours that also people with weak colour vision tell apart (Okabe and Ito's).
COLOURS = {"torsion": "#d55e00", "epoll": "#000000", "libevent": "#56b4e9", "asio": "#009e73", "libuv": "#e69f00",
           "twisted": "#0072b2"}
MARKER = re.compile(r"(<!-- begin (\w[\w-]*) -->\n).*?(<!-- end \2 -->)", re.S)


def markdown_table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def environment_table(data):
    names = {"processor": "processor", "cores": "cores", "server_and_load": "server and load", "kernel": "Linux",
             "gcc": "g++", "clang": "clang++", "openssl": "OpenSSL", "libevent": "libevent", "libuv": "libuv",
             "asio": "Asio", "twisted": "Twisted", "python": "Python"}
    found = data["environment"]
    rows = [[label, str(found[key])] for key, label in names.items() if found.get(key) is not None]
    if found.get("commit"):
        rows.append(["torsion", found["commit"] + (" and changes that are not committed" if found["dirty"] else "")])
    rows.append(["rounds", f"{data['rounds']}{', short ones' if data['quick'] else ''}"])
    return markdown_table(["on", "version"], rows)


def curve_table(x, points, text):
    positions = sorted({position for line in points.values() for position, _ in line})
    values = {name: dict(line) for name, line in points.items()}
    rows = [[f"{position:,}", *(text(values[name][position]) if position in values[name] else "–" for name in points)]
            for position in positions]
    return markdown_table([x, *points], rows)


def curves_section(data):
    """Title, picture and table of each curve that was measured."""
    parts = []
    for curve in table.curves(False):
        points = summary.curve_points(data, curve.name)
        if points:
            unit = summary.runs_of(data, "curve", case=curve.name)[0]["unit"]
            parts.append(f"### {curve.title}\n\n![{curve.title}](benchmarks/{curve.name}.svg)\n\n"
                         f"Server CPU for one {unit}:\n\n" + curve_table(curve.x, points, summary.time_text))
    points = summary.timer_points(data)
    if points:
        parts.append(f"### Timers while others are live\n\n![Timers](benchmarks/{table.TIMER_CURVE}.svg)\n\n"
                     "Nanoseconds each:\n\n" + curve_table("live timers", points, "{:.0f}".format))
    return "\n".join(parts)


def left_out_section(data):
    lines = [f"- {entry['what']}: {entry['why']}" for entry in data["left_out"]]
    lines += [f"- {entry['case']}, {entry['peer']}: failed: {entry['why']}" for entry in data["failures"]]
    return "\n".join(lines) + "\n" if lines else "Nothing.\n"


def sections(data):
    """{marker: what belongs there}"""
    found = {"environment": environment_table(data), "curves": curves_section(data), "left-out": left_out_section(data)}
    names = {"Server CPU": "cases", "Memory": "idle", "In one": "inprocess", "System calls": "syscalls",
             "On several": "pool", "Compiling": "compile"}
    for marker in names.values():
        found[marker] = "Not measured.\n"
    for title, head, rows in summary.tables(data):
        marker = next(marker for start, marker in names.items() if title.startswith(start))
        found[marker] = markdown_table(head, rows)
    for run in summary.runs_of(data, "headers"):
        shown = ", ".join(sorted(run["shown"])) or "None"
        found["compile"] += f"\n{shown} of {run['count']} public headers includes one of OpenSSL or libevent.\n"
    return found


def fill(page, data):
    """The page with everything between markers made anew; markers that nothing belongs to are an error."""
    found = sections(data)

    def put(match):
        if match.group(2) not in found:
            raise SystemExit(f"report.py: nothing belongs between the markers '{match.group(2)}'; "
                             f"there are {', '.join(sorted(found))}")
        return f"{match.group(1)}\n{found[match.group(2)]}\n{match.group(3)}"
    filled, count = MARKER.subn(put, page)
    if count == 0:
        raise SystemExit("report.py: the page has no markers such as <!-- begin cases --> and <!-- end cases -->")
    return filled


def draw(data, folder):
    """The SVG files; False if matplotlib is not there. The same data gives the same files."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "torsion", "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
                                "grid.alpha": 0.3, "axes.axisbelow": True, "axes.spines.top": False,
                                "axes.spines.right": False, "legend.frameon": False})
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)

    def save(figure, name):
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)

    draw_ratios(data, pyplot, save)
    for curve in table.curves(False):
        points = summary.curve_points(data, curve.name)
        if points:
            unit = summary.runs_of(data, "curve", case=curve.name)[0]["unit"]
            lines = {peer: [(x, seconds * 1e6) for x, seconds in line] for peer, line in points.items()}
            draw_curve(pyplot, save, curve.name, curve.x, f"server CPU, µs / {unit}", lines)
    points = summary.timer_points(data)
    if points:
        draw_curve(pyplot, save, table.TIMER_CURVE, "live timers", "ns each", points)
    return True


def draw_ratios(data, pyplot, save):
    """Grouped bars: cases side by side, and in each the peers, torsion with its number."""
    columns = [peer for peer in summary.columns_of(data) if peer not in ("epoll", "twisted")]
    medians = {}
    for case in table.CASES:
        each = {peer: summary.median_ratio(data, case.name, peer) for peer in columns}
        if any(each.values()):
            medians[case.name] = {peer: value for peer, value in each.items() if value}
    if not medians:
        return
    figure, axes = pyplot.subplots(figsize=(11, 4.2))
    width = 0.8 / len(columns)
    for index, peer in enumerate(columns):
        present = [(place, ratios[peer]) for place, ratios in enumerate(medians.values()) if peer in ratios]
        bars = axes.bar([place + (index - (len(columns) - 1) / 2) * width for place, _ in present],
                        [ratio for _, ratio in present], width, color=COLOURS[peer], label=peer)
        if peer == "torsion":
            axes.bar_label(bars, fmt="%.2f", fontsize=6, padding=1)
    axes.axhline(1, color=COLOURS["epoll"], linewidth=1, label="epoll")
    axes.set_xticks(range(len(medians)), [name.replace("/", "\n") for name in medians], fontsize=7)
    axes.set_ylabel("server CPU per unit, ratio to epoll")
    axes.grid(False, axis="x")
    axes.legend(ncols=len(columns) + 1, loc="lower center", bbox_to_anchor=(0.5, 1))
    save(figure, "ratios")


def draw_curve(pyplot, save, name, x, y, lines):
    """Log-log; from 0 on, the x axis is linear near it, as logarithms have no 0."""
    figure, axes = pyplot.subplots(figsize=(6, 3.6))
    for label, points in lines.items():
        axes.plot([place for place, _ in points], [value for _, value in points], marker="o", markersize=3,
                  color=COLOURS.get(label), label=label)
    positions = sorted({place for points in lines.values() for place, _ in points})
    if positions[0] == 0:
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks(positions, [str(place) for place in positions])
    else:
        axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend()
    save(figure, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(ROOT / "docs" / "benchmarks" / "data.json"))
    parser.add_argument("--page", default=str(ROOT / "docs" / "benchmarks.md"), help="the page with the markers")
    parser.add_argument("--plots", help="the folder of the SVG files (benchmarks beside the page)")
    options = parser.parse_args()
    page = pathlib.Path(options.page)
    data = json.loads(pathlib.Path(options.data).read_text())
    page.write_text(fill(page.read_text(), data))
    plots = pathlib.Path(options.plots) if options.plots else page.parent / "benchmarks"
    if not draw(data, plots):
        print("report.py: the tables are made; no pictures, as matplotlib is not there (python3-matplotlib)", file=sys.stderr)


if __name__ == "__main__":
    main()
