"""Named cases, run by topic or by name, a few at a time; one printed line for each."""

import argparse
import concurrent.futures
import fnmatch
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import traceback

from .certificates import Certificates
from .programs import Failed, Program, Skipped

PYTHON = "/usr/bin/python3"
SKIPPED_STATUS = 77  # what meson takes for a skipped test

_registry = []


class Case:
    def __init__(self, name, topic, run, alone, arguments):
        self.name, self.topic, self.run, self.alone, self.arguments = name, topic, run, alone, arguments


def case(topic, name, *arguments, alone=False):
    """Registers a function of (kit, *arguments). `alone`: nothing else may run beside it."""
    def register(run):
        _registry.append(Case(name, topic, run, alone, arguments))
        return run
    return register


def add_case(topic, name, run, *arguments, alone=False):
    case(topic, name, *arguments, alone=alone)(run)


class Server:
    """A started server program and the port that it listens on."""

    def __init__(self, program, port):
        self.program, self.port = program, port

    def __getattr__(self, name):
        return getattr(self.program, name)

    def ends_well(self):
        """SIGTERM ends it with status 0 within five seconds, and it has shown no backtrace."""
        status = self.program.terminate()
        if status != 0:
            raise Failed(f"{self.program.name} ended with status {status} on SIGTERM")


class Kit:
    """What one case may use. Programs started through it are killed when the case ends."""

    def __init__(self, folder, certs, scratch):
        self.folder, self.certs, self.scratch = pathlib.Path(folder), certs, scratch
        self.started = []
        self._cleanups = []

    def path(self, name, folder=None):
        """The argv prefix of an example program; a Python peer stands in for it if that is what the folder has."""
        folder = folder or self.folder
        if (folder / name).is_file():
            return [str(folder / name)]
        if (folder / f"{name}.py").is_file():
            return [PYTHON, str(folder / f"{name}.py")]
        raise Failed(f"there is no program {name} in {folder}")

    def run(self, argv, name=None, **options):
        program = Program(argv, name or pathlib.Path(str(argv[0])).name, **options)
        self.started.append(program)
        return program

    def start(self, name, *arguments, folder=None, **options):
        label = name if folder is None else f"{name} ({folder.name})"
        return self.run([*self.path(name, folder), *arguments], label, **options)

    def serve(self, name, *arguments, folder=None, **options):
        """Starts a server on a port that the system picks."""
        program = self.start(name, "--port", "0", *arguments, folder=folder, **options)
        return Server(program, int(program.wait_line(r"LISTENING (\d+)$").group(1)))

    def at_end(self, function):
        self._cleanups.append(function)

    def finish(self):
        for cleanup in reversed(self._cleanups):
            cleanup()
        for program in reversed(self.started):
            program.destroy()


def _select(registry, topics, names):
    chosen = [c for c in registry if not topics or c.topic in topics]
    if names:
        chosen = [c for c in chosen if any(fnmatch.fnmatchcase(c.name, pattern) for pattern in names)]
    return chosen


def _run_one(one, options, certs, lock):
    started = time.monotonic()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="torsion-case-"))
    kit = Kit(options.programs, certs, scratch)
    result, reason, details = "PASS", "", ""
    try:
        one.run(kit, *one.arguments)
    except Skipped as skip:
        result, reason = "SKIP", str(skip)
    except Failed as failed:
        result, reason = "FAIL", str(failed)
    except Exception as error:  # a mistake in the harness is a failed case, not the end of the run
        result, reason = "FAIL", f"{type(error).__name__}: {error}"
        details = traceback.format_exc()
    finally:
        kit.finish()
        shutil.rmtree(scratch, ignore_errors=True)
    took = time.monotonic() - started
    with lock:
        print(f"{result} {one.name}" + (f": {reason}" if reason else "") + f" ({took:.1f} s)", flush=True)
        if result == "FAIL" or options.verbose:
            print("\n".join(filter(None, [details] + [p.transcript() for p in kit.started])), flush=True)
    return result


def main(description):
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--programs", required=True, metavar="DIR", help="the folder of the example programs")
    parser.add_argument("--topic", action="append", default=[], help="run only the cases of this topic (repeatable)")
    parser.add_argument("--jobs", type=int, default=4, help="how many cases run side by side (default 4)")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    parser.add_argument("--verbose", action="store_true", help="print what the programs said, also of cases that pass")
    parser.add_argument("names", nargs="*", help="names of cases, may have * and ?")
    options = parser.parse_args()
    options.programs = pathlib.Path(options.programs).resolve()

    chosen = _select(_registry, options.topic, options.names)
    if options.list:
        print("\n".join(f"{c.topic:10} {c.name}" for c in chosen))
        return 0
    if not chosen:
        print("no case has such a name or topic; see --list", file=sys.stderr)
        return 2

    lock = threading.Lock()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torsion-certs-") as folder:
        certs = Certificates(folder)
        together = [c for c in chosen if not c.alone]
        with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
            results = list(pool.map(lambda c: _run_one(c, options, certs, lock), together))
        results += [_run_one(c, options, certs, lock) for c in chosen if c.alone]
    passed, failed, skipped = (results.count(r) for r in ("PASS", "FAIL", "SKIP"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped in {time.monotonic() - started:.0f} s")
    if failed:
        return 1
    return SKIPPED_STATUS if skipped and not passed else 0
