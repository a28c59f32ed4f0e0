"""Servers and load: started, pinned to cores, listened to, and ended whatever happens."""

import json
import os
import pathlib
import re
import resource
import select
import signal
import subprocess
import tempfile
import time

START_SECONDS = 10
END_SECONDS = 5


class Failed(Exception):
    """A run that came to nothing; the text says why."""


class Missing(Exception):
    """There is nothing to run; the text says what is not there."""


_running = set()


def end_all():
    """Ends what is still there; safe to call at any time."""
    for process in list(_running):
        process.kill()
        process.wait()
        _running.discard(process)


def raise_file_limit():
    """As many files as we may open, and our children with us; returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Cores:
    """One core for the server and another for the load, if there are two."""

    def __init__(self):
        self.all = sorted(os.sched_getaffinity(0))
        self.server = {self.all[0]}
        self.load = {self.all[1]} if len(self.all) > 1 else self.server


def start(command, cores, **streams):
    """Starts a child that inherits the given cores; nothing of it runs elsewhere."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, **streams)
    finally:
        os.sched_setaffinity(0, before)
    _running.add(process)
    return process


def finish(process, seconds):
    """Waits for a child, and kills it after that time; returns its status, None if it was killed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
    except BaseException:   # Ctrl-C: nobody else will end it
        process.kill()
        process.wait()
        raise
    finally:
        _running.discard(process)


def last_words(file):
    """The end of what a child has said on stderr."""
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) if lines else "it says nothing"


class Server:
    """A server that listens: `with Server(...) as server`, then server.port and server.pid."""

    def __init__(self, command, cores):
        self.name = pathlib.Path(next(part for part in command if "python" not in pathlib.Path(part).name)).name
        self._errors = tempfile.TemporaryFile()
        self._process = start(command, cores, stdout=subprocess.PIPE, stderr=self._errors)
        self.pid = self._process.pid
        try:
            self.port = self._read_port()
        except BaseException:
            self._end()
            raise

    def _read_port(self):
        deadline = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise Failed(f"{self.name} does not listen after {START_SECONDS} s: {last_words(self._errors)}")
            octet = os.read(self._process.stdout.fileno(), 1)
            if not octet:
                status = finish(self._process, END_SECONDS)
                raise Failed(f"{self.name} ended with status {status} before it listened: {last_words(self._errors)}")
            line += octet
        match = re.fullmatch(rb"listening on 127\.0\.0\.1:(\d+)\s*", line)
        if not match:
            raise Failed(f"{self.name} says {line!r} where 'listening on 127.0.0.1:PORT' belongs")
        return int(match.group(1))

    def _end(self):
        """SIGTERM; returns what is wrong with how it ends."""
        status = self._process.poll()
        if status is not None:
            _running.discard(self._process)
            wrong = f"{self.name} died with status {status}: {last_words(self._errors)}"
        else:
            self._process.terminate()
            status = finish(self._process, END_SECONDS)
            wrong = None
            if status is None:
                wrong = f"{self.name} did not end {END_SECONDS} s after SIGTERM"
            elif status != 0:
                wrong = f"{self.name} ended with status {status} on SIGTERM: {last_words(self._errors)}"
        self._process.stdout.close()
        return wrong

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        wrong = self._end()
        self._errors.close()
        if wrong and kind is None:
            raise Failed(wrong)
        if wrong and isinstance(error, Failed):
            raise Failed(f"{error}; {wrong}") from None


def run_load(program, server, case, tls, options, cores, seconds):
    """One run of bench_load; returns its figures. `seconds` bounds it as a whole."""
    command = [program, server.port, case, "--tls", tls, "--pid", server.pid, *options]
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        status = finish(start(command, cores, stdout=output, stderr=errors), seconds)
        if status is None:
            raise Failed(f"the load did not end within {seconds:.0f} s")
        if status != 0:
            raise Failed(f"status {status}: {last_words(errors)}")
        output.seek(0)
        figures = json.loads(output.read())
        if not figures["units"]:
            raise Failed(f"no {figures['unit']} was done in the measured time: take longer, with --seconds")
        return figures


def on_signals_leave():
    """SIGTERM and SIGHUP end us as Ctrl-C does, so that what we started ends, too."""
    def leave(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)   # also where a shell had it ignored
