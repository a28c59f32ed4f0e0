"""Child processes whose output is collected line by line, with a bound on every wait."""

import os
import re
import signal
import subprocess
import threading
import time

# A log line of torsion's startLogging: a date, a time with its zone, a system in brackets.
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \[")
# What must never reach a user's eyes.
BACKTRACE = re.compile(r"terminate called|Traceback|Aborted|Segmentation|Sanitizer|runtime error:|^#\d+ ", re.M)


class Failed(Exception):
    """A case did not see what it expects."""


class Skipped(Exception):
    """A case cannot run here; says why."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Program:
    """A running child. `lines` holds (stream, text) in the order of arrival, stream being "out" or "err"."""

    def __init__(self, argv, name, echo_back=False, limits=None, environment=None, descriptors=()):
        self.name = name
        self.argv = [str(part) for part in argv]
        self.lines = []
        self._news = threading.Condition()
        self._echo_back = echo_back
        self._input_lock = threading.Lock()
        environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1", **(environment or {}))
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, preexec_fn=limits, pass_fds=descriptors)
        self._readers = [
            threading.Thread(target=self._read, args=(stream, kind), daemon=True)
            for stream, kind in ((self.process.stdout, "out"), (self.process.stderr, "err"))]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, kind):
        for raw in stream:
            with self._news:
                self.lines.append((kind, raw.decode("utf-8", "backslashreplace").rstrip("\r\n")))
                self._news.notify_all()
            if self._echo_back and kind == "out":
                self.send(raw)
        stream.close()

    @property
    def pid(self):
        return self.process.pid

    def text(self, kind=None):
        with self._news:
            return "\n".join(text for stream, text in self.lines if kind in (None, stream))

    def matching(self, pattern, kind=None):
        """The lines that match from their start."""
        with self._news:
            return [text for stream, text in self.lines if kind in (None, stream) and re.match(pattern, text)]

    def errors(self):
        """The lines on stderr that are neither log nor state."""
        with self._news:
            return [text for stream, text in self.lines
                    if stream == "err" and text.strip() and not LOG_LINE.match(text) and not text.startswith("state: ")]

    def wait_line(self, pattern, timeout=15, count=1):
        """Waits for the count-th line that matches from its start; returns its match."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                found = [m for m in (re.match(pattern, text) for _, text in self.lines) if m]
                if len(found) >= count:
                    return found[count - 1]
                ended = self.process.poll() is not None and not any(r.is_alive() for r in self._readers)
                left = deadline - time.monotonic()
                if ended or left <= 0:
                    how = f"it ended with status {self.process.returncode}" if ended else f"not within {timeout} s"
                    raise Failed(f"{self.name}: no line {pattern!r} (number {count}): {how}")
                self._news.wait(min(left, 0.2))

    def send(self, data):
        """Writes to stdin; a child that has gone is no error."""
        try:
            with self._input_lock:
                self.process.stdin.write(data)
                self.process.stdin.flush()
        except (OSError, ValueError):
            pass

    def close_input(self):
        try:
            with self._input_lock:
                self.process.stdin.close()
        except OSError:
            pass

    def wait(self, timeout=20):
        """Waits for the end; returns the status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {timeout} s") from None
        for reader in self._readers:
            reader.join(5)
        return status

    def terminate(self, timeout=5):
        """SIGTERM, and the status that it leads to within the time that programs are given."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def freeze(self):
        """SIGSTOP, and waits until it has taken effect: dead, but its connections live on in the kernel."""
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while self._state() not in "TZX":
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} was not stopped within 10 s")
            time.sleep(0.001)

    def _state(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]

    def destroy(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close_input()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def transcript(self, limit=40):
        with self._news:
            lines = list(self.lines)
        status = self.process.poll()
        state = "still running" if status is None else f"status {status}"
        head = f"    {self.name}: {' '.join(self.argv)}\n      ({state})"
        if len(lines) > limit:
            lines = lines[: limit // 2] + [("...", f"({len(lines) - limit} lines left out)")] + lines[-limit // 2:]
        return "\n".join([head] + [f"      {stream} | {text[:300]}" for stream, text in lines])
