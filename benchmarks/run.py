#!/usr/bin/python3
"""Runs the benchmarks: ./dev bench, or benchmarks/run.py --build FOLDER."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import environment
import extras
import peers as table
import processes
import summary
from processes import Failed, Missing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON = "/usr/bin/python3"
SPARE_FILES = 64
OTHERS_EVERY = 3  # rounds: between torsion and epoll hundredths count


class Pace:
    """How long and how often everything is done."""

    def __init__(self, options):
        # Many short rounds rather than a few long ones: what disturbs a machine comes and goes within a second.
        self.rounds = options.rounds or (3 if options.quick else 15)
        self.seconds = options.seconds or (0.3 if options.quick else 0.5)
        self.warmup = min(0.2, self.seconds)
        self.curve_rounds = 1 if options.quick else min(self.rounds, 5)
        self.curve_seconds = min(self.seconds, 0.5)
        self.syscall_seconds = min(self.seconds, 0.5)
        self.compile_rounds = 1 if options.quick else 5


class Bench:
    """One run of the benchmarks: what has been found, and what went wrong."""

    def __init__(self, options, folder):
        self.options = options
        self.pace = Pace(options)
        self.programs = pathlib.Path(options.build) / "benchmarks"
        self.load = self.programs / "bench_load"
        self.cores = processes.Cores()
        self.files = processes.raise_file_limit()
        self.certificate = folder / "server.pem"
        self.data = {"format": 1, "quick": options.quick, "rounds": self.pace.rounds, "peers": options.peers,
                     "environment": environment.describe(ROOT, self.cores), "runs": [], "failures": [], "left_out": []}
        self._began = time.monotonic()
        self._missing = set()

    def say(self, text):
        print(f"[{time.monotonic() - self._began:6.1f} s] {text}", file=sys.stderr, flush=True)

    def make_certificate(self):
        key = self.certificate.with_suffix(".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", self.certificate],
                       check=True, capture_output=True)
        self.certificate.write_text(key.read_text() + self.certificate.read_text())

    def wanted(self, *names):
        """Whether --only has one of these names."""
        return not self.options.only or any(only in names for only in self.options.only)

    def wanted_case(self, case):
        return self.wanted(case.name, *case.name.split("/"))

    def left_out(self, what, why):
        if (what, why) not in self._missing:
            self._missing.add((what, why))
            self.data["left_out"].append({"what": what, "why": why})
            self.say(f"{what}: left out: {why}")

    def failed(self, kind, case, peer, why):
        self.data["failures"].append({"kind": kind, "case": case, "peer": peer, "why": str(why)})
        self.say(f"{case} {peer}: FAILED: {why}")

    def record(self, kind, case, peer, figures):
        self.data["runs"].append({**figures, "kind": kind, "case": case, "peer": peer})

    def program(self, name):
        path = self.programs / name
        if not path.is_file():
            raise Missing(f"{name} is not built")
        return [path]

    def server_command(self, peer):
        if peer != "twisted":
            return self.program(table.SERVERS[peer])
        if not self.data["environment"]["twisted"]:
            raise Missing("Twisted is not there")
        script = HERE / "servers" / table.SERVERS[peer]
        if not script.is_file():
            raise Missing(f"{script.name} is not there")
        return [PYTHON, script]

    def attempt(self, kind, case, peer, work):
        """Does one piece of work; whatever goes wrong with it concerns its cell alone."""
        try:
            work()
        except Missing as reason:
            self.left_out(f"{peer}, {kind}" if kind in ("syscalls", "inprocess", "compile", "pool") else peer, str(reason))
        except (Failed, OSError, ValueError, KeyError, ZeroDivisionError) as reason:
            self.failed(kind, case, peer, reason)

    def figures(self, command, mode, load, tls, seconds, options=(), warmup=None):
        """Starts a server, puts load on it, and ends it."""
        with processes.Server([*command, "0", mode, self.certificate], self.cores.server) as server:
            return self.put_load(server, load, tls, seconds, options, warmup)

    def put_load(self, server, load, tls, seconds, options=(), warmup=None):
        warmup = self.pace.warmup if warmup is None else warmup
        return processes.run_load(self.load, server, load, tls, [*options, "--seconds", seconds, "--warmup", warmup],
                                  self.cores.load, 120 + seconds)

    def cases(self):
        peers = self.options.peers
        for number in range(self.pace.rounds):
            for index, case in enumerate(case for case in table.CASES if self.wanted_case(case)):
                turn = (number + index) % len(peers)
                order = peers[turn:] + peers[:turn]
                for peer in order if number % 2 == 0 else order[::-1]:  # or one would mostly follow another
                    if (number % OTHERS_EVERY == 0 or peer in table.BOTH) and not self.spared(case, peer):
                        self.attempt("case", case.name, peer, lambda: self.one_case(case, peer, number))

    def spared(self, case, peer):
        """Whether --quick does without this one."""
        if peer != "twisted" or not self.options.quick or case.name in table.TWISTED_QUICK:
            return False
        self.left_out(f"twisted, all but {', '.join(sorted(table.TWISTED_QUICK))}", "it takes too long for --quick")
        return True

    def one_case(self, case, peer, number):
        figures = self.figures(self.server_command(peer), case.mode, case.load, case.tls, self.pace.seconds)
        self.record("case", case.name, peer, {**figures, "round": number})
        self.say(f"{case.name} {peer}: {summary.time_text(summary.cost(figures))} of CPU a {figures['unit']}, "
                 f"{summary.count_text(figures['units'] / figures['seconds'])} a second")

    def idle(self):
        for case in table.IDLE:
            if not self.wanted_case(case):
                continue
            for peer in self.options.peers:
                if self.spared(case, peer):
                    continue
                few = self.options.quick or peer == "twisted"
                count = table.IDLE_CONNECTIONS_FEW if few else table.IDLE_CONNECTIONS
                if count + SPARE_FILES > self.files:
                    count = self.files - SPARE_FILES
                    self.left_out("more idle connections", f"only {self.files} open files are allowed")
                self.attempt("idle", case.name, peer, lambda: self.one_idle(case, peer, count))

    def one_idle(self, case, peer, count):
        figures = self.figures(self.server_command(peer), case.mode, case.load, case.tls, 1, ["--connections", count])
        self.record("idle", case.name, peer, figures)
        self.say(f"{case.name} {peer}: {figures['bytes_per_connection']:.0f} octets a connection")

    def inprocess(self):
        for peer in self.options.peers if self.wanted("inprocess") else []:
            if peer == "twisted" and self.options.quick:
                self.left_out("twisted, in one process", "it takes too long for --quick")
                continue
            for name in table.INPROCESS.get(peer, []):
                self.attempt("inprocess", name, peer, lambda: self.one_inprocess(name, peer))

    def one_inprocess(self, name, peer):
        if peer == "twisted":
            if not self.data["environment"]["twisted"]:
                raise Missing("Twisted is not there")
            command = [PYTHON, HERE / "inprocess" / name]
        else:
            command = self.program(name)
        # Wake-ups take two threads, and so both cores.
        cores = set(self.cores.all) if "wakeups" in name or peer == "twisted" else self.cores.server
        for figure in extras.run_inprocess(command, cores):
            self.record("inprocess", name, figure["peer"], {key: figure[key] for key in ("bench", "unit", "value")})
            self.say(f"{figure['bench']} {figure['peer']}: {summary.count_text(figure['value'])} {figure['unit']}")

    def timer_curve(self):
        if not self.wanted("curve", table.TIMER_CURVE) or "torsion" not in self.options.peers:
            return
        for count in table.TIMER_COUNTS:
            self.attempt("timers", table.TIMER_CURVE, "torsion", lambda: self.one_timer_count(count))

    def one_timer_count(self, count):
        for figure in extras.run_inprocess([*self.program("torsion_timers"), "--live", count], self.cores.server):
            self.record("timers", table.TIMER_CURVE, "torsion",
                        {"x": count, **{key: figure[key] for key in ("bench", "unit", "value")}})
        self.say(f"timers with {count} live: done")

    def curves(self):
        for curve in table.curves(self.options.quick):
            if not self.wanted("curve", curve.name):
                continue
            for number in range(self.pace.curve_rounds):
                for index, point in enumerate(curve.points):
                    peers = [peer for peer in curve.peers if peer in self.options.peers]
                    for peer in peers if (number + index) % 2 == 0 else peers[::-1]:
                        self.attempt("curve", curve.name, peer, lambda: self.one_point(curve, point, peer, number))
            self.say(f"curve {curve.name}: done")

    def one_point(self, curve, point, peer, number):
        figures = self.figures(self.server_command(peer), point.mode, curve.load, point.tls, self.pace.curve_seconds,
                               point.options, warmup=min(self.pace.warmup, 0.2))
        kept = ("unit", "units", "seconds", "server_cpu_seconds", "load_cpu_seconds")
        self.record("curve", curve.name, peer, {"x": point.x, "round": number, **{key: figures[key] for key in kept}})

    def syscalls(self):
        for case in table.CASES:
            if not case.mode.startswith(("plain", "tls")) or not self.wanted("syscalls"):
                continue
            for peer in table.BOTH:
                if peer in self.options.peers:
                    self.attempt("syscalls", case.name, peer, lambda: self.one_syscalls(case, peer))

    def one_syscalls(self, case, peer):
        with processes.Server([*self.server_command(peer), "0", case.mode, self.certificate], self.cores.server) as server:
            counts, figures = extras.count_syscalls(
                server, lambda: self.put_load(server, case.load, case.tls, self.pace.syscall_seconds, warmup=0),
                self.cores.load)
        self.record("syscalls", case.name, peer,
                    {"unit": figures["unit"], "units_in_all": figures["units_in_all"], "calls": counts})
        self.say(f"syscalls {case.name} {peer}: {sum(counts.values()) / figures['units_in_all']:.3g} a {figures['unit']}")

    def pool(self):
        if "torsion" not in self.options.peers:
            return
        for case in table.POOL_CASES if self.wanted("pool") else ():
            for reactors in (1, 2):
                self.attempt("pool", case.name, "torsion", lambda: self.one_pool(case, reactors))

    def one_pool(self, case, reactors):
        cores = self.cores
        command = [*self.program(table.POOL), "0", case.mode, self.certificate, reactors]
        # There is no core that the load has alone once both serve: processor time a unit is what counts here.
        with processes.Server(command, set(cores.all) if reactors > 1 else cores.server) as server:
            figures = processes.run_load(self.load, server, case.load, case.tls,
                                         ["--seconds", self.pace.curve_seconds, "--warmup", self.pace.warmup],
                                         set(cores.all), 120)
        self.record("pool", case.name, "torsion", {**figures, "reactors": reactors})
        self.say(f"pool {case.name}, {reactors} reactors: "
                 f"{summary.count_text(figures['units'] / figures['seconds'])} {figures['unit']} a second")

    def compiling(self):
        if not self.wanted("compile"):
            return
        include = pathlib.Path(self.options.build) / "include"
        sources = [HERE / "compile" / "echo_user.cpp", HERE / "compile" / "three_headers.cpp"]
        for compiler in ("g++", "clang++"):
            self.attempt("compile", compiler, "torsion", lambda: self.one_compiler(compiler, sources, include))
        self.attempt("compile", "headers", "torsion", lambda: self.headers(include))

    def one_compiler(self, compiler, sources, include):
        for seconds in extras.compile_times(compiler, sources, include, self.pace.compile_rounds, self.cores.server):
            self.record("compile", compiler, "torsion", {"compiler": compiler, "seconds": seconds})
        name, own, base, ratio = next(row for row in summary.compile_rows(self.data) if row[0] == compiler)
        self.say(f"compiling with {name}: {own:.2f} s, three standard headers {base:.2f} s, ratio {ratio:.2f}")

    def headers(self, include):
        names = extras.public_headers(self.options.build)
        shown = extras.headers_that_show("g++", names, include)
        self.record("headers", "headers", "torsion", {"count": len(names), "shown": shown})
        if shown:
            raise Failed(f"public headers show their libraries: {shown}")
        self.say(f"none of {len(names)} public headers includes one of OpenSSL or libevent")

    def run(self):
        if not self.load.is_file():
            raise SystemExit(f"run.py: there is no bench_load in {self.programs}: build first, or name another --build")
        self.make_certificate()
        for part in (self.cases, self.idle, self.inprocess, self.syscalls, self.pool, self.curves, self.timer_curve,
                     self.compiling):
            part()

    def print_tables(self):
        for title, head, rows in summary.tables(self.data):
            print(f"\n{title}\n")
            widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
            for row in [head, *rows]:
                print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                                for i, (cell, width) in enumerate(zip(row, widths))))
        for entry in self.data["left_out"]:
            print(f"\nleft out: {entry['what']}: {entry['why']}", end="")
        for entry in self.data["failures"]:
            print(f"\nfailed: {entry['kind']} {entry['case']} {entry['peer']}: {entry['why']}", end="")
        print(flush=True)

    def save(self):
        self.data["seconds"] = round(time.monotonic() - self._began, 1)
        folder = pathlib.Path(self.options.output or self.options.build)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(run, sort_keys=True, ensure_ascii=False) for run in self.data["runs"]]
        head = json.dumps({**self.data, "runs": []}, indent=1, sort_keys=True, ensure_ascii=False)
        # One run a line: a diff of two files can be read.
        (folder / "data.json").write_text(head.replace('"runs": []', '"runs": [\n' + ",\n".join(lines) + "\n]") + "\n")
        self.say(f"all single runs are in {folder / 'data.json'}")


def parse():
    names = [case.name for case in [*table.CASES, *table.IDLE]]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, epilog="CASE is a name such as "
                                     f"{names[0]}, a part of it (plain, stream), or one of inprocess, syscalls, pool, curve, compile.")
    parser.add_argument("--quick", action="store_true", help="a few short rounds of everything, about five minutes")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds, of which medians are taken (15; 3 with --quick); "
                        "the frameworks take part in every third")
    parser.add_argument("--seconds", type=float, metavar="S", help="measured time of one run (0.5; 0.3 with --quick)")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="these alone")
    parser.add_argument("--peers", nargs="+", metavar="P", choices=table.PEERS, default=table.PEERS,
                        help=f"these alone, of {', '.join(table.PEERS)}")
    parser.add_argument("--output", metavar="DIR", help="where data.json goes (the build folder)")
    parser.add_argument("--build", default=str(ROOT / "build-bench"), metavar="DIR", help="the build folder (build-bench)")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1 or options.seconds is not None and options.seconds <= 0:
        parser.error("--rounds and --seconds are above 0")
    known = {part for name in names for part in (name, *name.split("/"))}
    known |= {"inprocess", "syscalls", "pool", "curve", "compile", table.TIMER_CURVE}
    known |= {curve.name for curve in table.curves(False)}
    for only in options.only or []:
        if only not in known:
            parser.error(f"there is no case '{only}'; there are {', '.join(sorted(known))}")
    return options


def main():
    options = parse()
    processes.on_signals_leave()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, pathlib.Path(folder))
        try:
            bench.run()
        except KeyboardInterrupt:
            bench.say("interrupted; what there is so far is kept")
            status = 130
        finally:
            processes.end_all()
        bench.save()
    bench.print_tables()
    if any(entry["peer"] == "torsion" for entry in bench.data["failures"]):
        status = status or 1
    return status


if __name__ == "__main__":
    sys.exit(main())
