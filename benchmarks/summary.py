"""From the single runs to the rows of the tables: medians, ratios to epoll, and which targets are met."""

import collections
import statistics

import peers as table

# Per unit of work, in what the figures are best read.
_SCALES = [(1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (float("inf"), 1e3, "ms")]
RATIO = "ratio"

Row = collections.namedtuple("Row", "name absolute cells target met")


def cost(run):
    """Processor seconds of the server for one unit."""
    return run["server_cpu_seconds"] / run["units"]


def median_cost(runs):
    return statistics.median(map(cost, runs)) if runs else None


def ratios(data, case, peer, base="epoll"):
    """What a unit cost the one in each round, as a multiple of what it cost the other in the same round."""
    rounds = {run["round"]: cost(run) for run in runs_of(data, "case", case=case, peer=base)}
    return [cost(run) / rounds[run["round"]] for run in runs_of(data, "case", case=case, peer=peer)
            if run["round"] in rounds]


def median_ratio(data, case, peer):
    found = ratios(data, case, peer)
    return statistics.median(found) if found else None


def middle_half_text(values):
    """Between which the middle half of all lies."""
    if len(values) < 2:
        return "–"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{low:.2f}–{high:.2f}"


def time_text(seconds):
    for limit, factor, unit in _SCALES:
        if seconds < limit:
            value = seconds * factor
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def count_text(value):
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"


def bytes_text(value):
    return f"{value:,.0f}"


def runs_of(data, kind, **wanted):
    return [run for run in data["runs"] if run["kind"] == kind and all(run.get(k) == v for k, v in wanted.items())]


def peers_in(data, kind):
    """Who appears in runs or failures of that kind, in the order of the table."""
    seen = {run["peer"] for run in data["runs"] if run["kind"] == kind}
    seen |= {entry["peer"] for entry in data["failures"] if entry["kind"] == kind}
    return [peer for peer in table.PEERS if peer in seen]


def columns_of(data):
    """Everybody who was asked for."""
    return [peer for peer in table.PEERS if peer in data["peers"]]


def failed(data, kind, case, peer):
    return any(e["kind"] == kind and e["case"] == case and e["peer"] == peer for e in data["failures"])


def _cell(data, kind, case, peer, value, text):
    if failed(data, kind, case, peer):
        return "failed"
    if value is not None:
        return text(value)
    return "not there" if any(entry["what"] == peer for entry in data["left_out"]) else "–"


def case_rows(data):
    """One row a case: torsion's cost of a unit, then everybody's ratio to epoll, and where torsion's mostly lay."""
    columns = columns_of(data)
    rows = []
    for case in table.CASES:
        costs = {peer: median_cost(runs_of(data, "case", case=case.name, peer=peer)) for peer in columns}
        if not any(costs.values()) and not any(failed(data, "case", case.name, peer) for peer in columns):
            continue
        medians = {peer: median_ratio(data, case.name, peer) for peer in columns}
        units = {run["unit"] for run in runs_of(data, "case", case=case.name)}
        cells = [_cell(data, "case", case.name, peer, medians[peer], "{:.2f}".format) for peer in columns]
        own = costs.get("torsion")
        twisted = costs.get("twisted")
        cells.append(f"{twisted / own:.1f}" if own and twisted else "–")
        cells.append(middle_half_text(ratios(data, case.name, "torsion")))
        absolute = _cell(data, "case", case.name, "torsion", own,
                         lambda value, each="/".join(units): f"{time_text(value)} / {each}")
        rows.append(Row(case.name, absolute, cells, f"{case.target:.2f}",
                        _met(medians.get("torsion"), case.target, failed(data, "case", case.name, "torsion"))))
    return columns, rows


def _met(value, most, has_failed):
    if has_failed:
        return "no"
    # What is printed decides: 1.004 is 1.00.
    return "–" if value is None else "yes" if round(value, 2) <= most else "no"


def idle_rows(data):
    """Octets of memory for a connection that rests."""
    columns = columns_of(data)
    rows = []
    for case in table.IDLE:
        values = {}
        for peer in columns:
            runs = runs_of(data, "idle", case=case.name, peer=peer)
            values[peer] = statistics.median(run["bytes_per_connection"] for run in runs) if runs else None
        if not any(v is not None for v in values.values()) and \
                not any(failed(data, "idle", case.name, peer) for peer in columns):
            continue
        cells = [_cell(data, "idle", case.name, peer, values[peer], bytes_text) for peer in columns]
        rows.append(Row(case.name, "", cells, bytes_text(case.target),
                        _met(values.get("torsion"), case.target, failed(data, "idle", case.name, "torsion"))))
    return columns, rows


def inprocess_rows(data):
    columns = peers_in(data, "inprocess")
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    units = {}
    for run in runs_of(data, "inprocess"):
        found[run["bench"]][run["peer"]].append(run["value"])
        units[run["bench"]] = run["unit"]
    rows = []
    for bench in sorted(found):
        values = {peer: statistics.median(all_) for peer, all_ in found[bench].items()}
        most, least = table.INPROCESS_TARGETS.get(bench, (None, None))
        own = values.get("torsion")
        met = "–"
        if own is not None and (most or least):
            met = "yes" if (most is None or own <= most) and (least is None or own >= least) else "no"
        target = f"≤ {count_text(most)}" if most else f"≥ {count_text(least)}" if least else "–"
        cells = [count_text(values[peer]) if peer in values else "–" for peer in columns]
        rows.append(Row(bench, units[bench], cells, target, met))
    return columns, rows


def syscall_rows(data):
    """[(case, {peer: calls a unit}, {peer: the most frequent ones})]"""
    rows = []
    for case in table.CASES:
        each, names = {}, {}
        for run in runs_of(data, "syscalls", case=case.name):
            units = run["units_in_all"]
            each[run["peer"]] = sum(run["calls"].values()) / units
            top = sorted(run["calls"].items(), key=lambda item: (-item[1], item[0]))[:3]
            names[run["peer"]] = ", ".join(f"{name} {calls / units:.2g}" for name, calls in top)
        if each:
            rows.append((case.name, each, names))
    return rows


def compile_rows(data):
    """[(compiler, seconds of the echo server, seconds of the three headers, ratio)]"""
    rows = []
    for compiler in sorted({run["compiler"] for run in runs_of(data, "compile")}):
        runs = runs_of(data, "compile", compiler=compiler)
        own = statistics.median(run["seconds"]["echo_user"] for run in runs)
        base = statistics.median(run["seconds"]["three_headers"] for run in runs)
        rows.append((compiler, own, base, own / base))
    return rows


def curve_points(data, name):
    """{peer: [(x, median cost of a unit in seconds)]}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs_of(data, "curve", case=name):
        found[run["peer"]][run["x"]].append(cost(run))
    return {peer: [(x, statistics.median(points[x])) for x in sorted(points)]
            for peer, points in sorted(found.items(), key=lambda item: table.PEERS.index(item[0]))}


def timer_points(data):
    """{bench: [(live timers, ns)]}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs_of(data, "timers"):
        found[run["bench"]][run["x"]].append(run["value"])
    return {bench: [(x, statistics.median(points[x])) for x in sorted(points)] for bench, points in sorted(found.items())}


def pool_rows(data):
    """[(case, reactors, units a second, processor seconds a unit)]"""
    rows = []
    for case in table.POOL_CASES:
        for reactors in sorted({run["reactors"] for run in runs_of(data, "pool", case=case.name)}):
            runs = runs_of(data, "pool", case=case.name, reactors=reactors)
            rows.append((case.name, reactors, statistics.median(run["units"] / run["seconds"] for run in runs),
                         median_cost(runs), runs[0]["unit"]))
    return rows


def tables(data):
    """[(title, head, rows of strings)] of all there is."""
    result = []
    columns, rows = case_rows(data)
    if rows:
        result.append(("Server CPU per unit, as a ratio to epoll", ["case", "torsion, absolute", *columns, "twisted / torsion", "torsion's middle half", "target", "met"],
                       [[row.name, row.absolute, *row.cells, row.target, row.met] for row in rows]))
    columns, rows = idle_rows(data)
    if rows:
        result.append(("Memory of an idle connection, octets", ["case", *columns, "target", "met"],
                       [[row.name, *row.cells, row.target, row.met] for row in rows]))
    columns, rows = inprocess_rows(data)
    if rows:
        result.append(("In one process", ["what", "unit", *columns, "target", "met"],
                       [[row.name, row.absolute, *row.cells, row.target, row.met] for row in rows]))
    rows = syscall_rows(data)
    if rows:
        result.append(("System calls per unit", ["case", *table.BOTH, "torsion's most frequent"],
                       [[name, *(f"{each[peer]:.3g}" if peer in each else "–" for peer in table.BOTH),
                         names.get("torsion", "–")] for name, each, names in rows]))
    rows = pool_rows(data)
    if rows:
        result.append(("On several reactors", ["case", "reactors", "units a second", "CPU per unit"],
                       [[name, str(reactors), f"{count_text(rate)} {unit}", time_text(each)]
                        for name, reactors, rate, each, unit in rows]))
    rows = compile_rows(data)
    if rows:
        result.append(("Compiling an echo server, seconds of CPU",
                       ["compiler", "echo server", "three standard headers", "ratio", "target", "met"],
                       [[name, f"{own:.2f}", f"{base:.2f}", f"{ratio:.2f}", f"{table.COMPILE_TARGET:.2f}",
                         _met(ratio, table.COMPILE_TARGET, False)] for name, own, base, ratio in rows]))
    return result
