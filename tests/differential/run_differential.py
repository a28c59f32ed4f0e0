#!/usr/bin/python3
"""Runs random scenarios on real Twisted and on torsion, in all pairings, and compares what the ends saw.

The number of scenarios and the first seed come from TORSION_DIFFERENTIAL_RUNS and TORSION_DIFFERENTIAL_SEED, or from the
options of the same meaning. What differs must be one of the deviations in deviations.py; they are counted at the end.
"""

import argparse
import collections
import os
import pathlib
import selectors
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from deviations import DEVIATIONS  # noqa: E402
from harness.cases import PYTHON, SKIPPED_STATUS  # noqa: E402
from harness.certificates import Certificates  # noqa: E402
from scenarios import scenario  # noqa: E402

PAIRINGS = [("twisted", "twisted"), ("torsion", "torsion"), ("twisted", "torsion"), ("torsion", "twisted")]
AT_ONCE = 12    # connections under way; a driver has many ends at once
PATIENCE = 60   # seconds without a word from any driver: somebody waits for what never comes


class Driver:
    """A driver process. Its words are read by the loop below."""

    def __init__(self, argv, errors):
        self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.rest = b""

    def say(self, *words):
        self.process.stdin.write(" ".join(words).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        """The lines that have come; None at the end."""
        block = os.read(self.process.stdout.fileno(), 65536)
        if not block:
            return None
        *lines, self.rest = (self.rest + block).split(b"\n")
        return [line.decode().split() for line in lines]

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


class Run:
    """Plays scenarios in all pairings and collects the traces."""

    def __init__(self, drivers, wanted):
        self.drivers = drivers
        self.waiting = collections.deque((made, pairing) for made in wanted for pairing in PAIRINGS)
        self.under_way = {}
        self.traces = {}  # (seed, pairing): {role: trace}
        self.fault = None

    def name(self, made, pairing, role):
        return f"{made.seed}/{pairing[0]}/{pairing[1]}/{role}"

    def begin(self):
        made, pairing = self.waiting.popleft()
        self.under_way[made.seed, pairing] = made
        self.traces[made.seed, pairing] = {}
        self.drivers[pairing[0]].say("listen", self.name(made, pairing, "server"), *made.server.words())

    def heard(self, words):
        seed, server, client, role = words[1].split("/")
        key = int(seed), (server, client)
        made = self.under_way[key]
        if words[0] == "PORT":
            name = self.name(made, key[1], "client")
            self.drivers[client].say("connect", name, f"port={words[2]}", *made.client.words())
            return
        self.traces[key][role] = words[2:]
        if len(self.traces[key]) == 2:
            del self.under_way[key]

    def play(self):
        selector = selectors.DefaultSelector()
        for name, driver in self.drivers.items():
            selector.register(driver.process.stdout, selectors.EVENT_READ, (name, driver))
        while self.waiting or self.under_way:
            while self.waiting and len(self.under_way) < AT_ONCE:
                self.begin()
            ready = selector.select(PATIENCE)
            if not ready:
                self.fault = "these never ended: " + ", ".join(f"{s}/{p[0]}/{p[1]}" for s, p in self.under_way)
                return
            for key, _ in ready:
                name, driver = key.data
                lines = driver.hear()
                if lines is None:
                    self.fault = f"the {name} driver ended with status {driver.process.wait()}"
                    return
                for words in lines:
                    self.heard(words)


def differences(made, traces, counts):
    """What the pairings saw differently, but for the deviations, which are counted."""
    wanted = traces[made.seed, PAIRINGS[0]]
    for pairing in PAIRINGS:
        seen = traces[made.seed, pairing]
        impls = dict(zip(("server", "client"), pairing))
        for role in ("server", "client"):
            if role not in seen or role not in wanted:
                yield pairing, role, wanted.get(role), seen.get(role)
                continue
            expected, actual, used = list(wanted[role]), list(seen[role]), []
            for name, apply in DEVIATIONS.items():
                changed = apply(made, impls, role, expected, actual)
                if changed is not None and changed != (expected, actual):
                    expected, actual = changed
                    used.append(name)
            if expected == actual:
                counts.update(used)
            else:
                yield pairing, role, expected, actual


def report(made, found, again):
    print(f"FAIL seed {made.seed}\n{made.text()}")
    for pairing, role, expected, actual in found:
        print(f"  {pairing[0]} serves {pairing[1]}, the {role} ({pairing[role == 'client']}):")
        print(f"    expected  {' '.join(expected) if expected else 'an end'}")
        print(f"    saw       {' '.join(actual) if actual else 'no end'}")
    print(f"  again: {again}")


def has_twisted():
    probe = "import twisted, OpenSSL, service_identity"
    return subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--driver", required=True, help="the program differential_driver")
    parser.add_argument("--runs", type=int, default=int(os.environ.get("TORSION_DIFFERENTIAL_RUNS", "300")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("TORSION_DIFFERENTIAL_SEED", "1")))
    parser.add_argument("--failures", type=int, default=5, help="how many of those that differ to print (default 5)")
    parser.add_argument("--show", action="store_true", help="print every scenario and its traces")
    options = parser.parse_args()
    if not has_twisted():
        print("SKIP: python3-twisted, python3-openssl or python3-service-identity is missing")
        return SKIPPED_STATUS

    started = time.monotonic()
    wanted = [scenario(seed) for seed in range(options.seed, options.seed + options.runs)]
    with tempfile.TemporaryDirectory(prefix="torsion-differential-") as folder, \
            tempfile.TemporaryFile(prefix="torsion-differential-") as errors:
        Certificates(folder)
        drivers = {"twisted": Driver([PYTHON, HERE / "twisted_driver.py", folder], errors),
                   "torsion": Driver([options.driver, folder], errors)}
        run = Run(drivers, wanted)
        run.play()
        for name, driver in drivers.items():
            status = driver.end()
            if status != 0 and not run.fault:
                run.fault = f"the {name} driver ended with status {status}"
        counts, failures = collections.Counter(), 0
        for made in wanted:
            if not all((made.seed, pairing) in run.traces for pairing in PAIRINGS):
                continue
            if options.show:
                print(f"seed {made.seed}\n{made.text()}")
                for pairing in PAIRINGS:
                    for role, trace in sorted(run.traces[made.seed, pairing].items()):
                        print(f"    {pairing[0]} serves {pairing[1]}, {role}: {' '.join(trace)}")
            found = list(differences(made, run.traces, counts))
            failures += bool(found)
            if found and failures <= options.failures:
                again = f"{PYTHON} {HERE / 'run_differential.py'} --driver {options.driver} --runs 1 --seed {made.seed} --show"
                report(made, found, again)
        if run.fault:
            print(f"FAIL: {run.fault}")
            errors.seek(0)
            print("\n".join(errors.read().decode("utf-8", "backslashreplace").splitlines()[-40:]))
    for name in DEVIATIONS:
        print(f"{counts[name]:6} x {name}")
    print(f"{len(wanted)} scenarios from seed {options.seed} in {len(PAIRINGS)} pairings, {failures} differ, "
          f"{time.monotonic() - started:.0f} s")
    return 1 if failures or run.fault else 0


if __name__ == "__main__":
    sys.exit(main())
