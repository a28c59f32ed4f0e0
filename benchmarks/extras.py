"""What is measured besides load: system calls, programs that measure themselves, and compiling."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import processes
from processes import Failed, Missing

ATTACH_SECONDS = 5


def _tracer(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"^TracerPid:\s*(\d+)", file.read(), re.M).group(1))


def count_syscalls(server, load, cores):
    """Runs load() while strace counts; returns {name: calls} and what load() returned.

    strace is attached to the server that listens already, so that its start is not on the bill.
    """
    if not shutil.which("strace"):
        raise Missing("strace is not there")
    with tempfile.NamedTemporaryFile("r") as counts, tempfile.TemporaryFile() as errors:
        tracer = processes.start(["strace", "-c", "-f", "-qq", "-p", server.pid, "-o", counts.name], cores,
                                 stdout=subprocess.DEVNULL, stderr=errors)
        try:
            deadline = time.monotonic() + ATTACH_SECONDS
            while _tracer(server.pid) != tracer.pid:
                if tracer.poll() is not None or time.monotonic() > deadline:
                    raise Missing(f"strace may not trace here: {processes.last_words(errors)}")
                time.sleep(0.01)
            figures = load()
        finally:
            if tracer.poll() is None:
                tracer.send_signal(2)  # SIGINT: it lets go of the server and writes what it has counted
            processes.finish(tracer, ATTACH_SECONDS)
        return parse_counts(counts.read()), figures


def parse_counts(text):
    """{name: calls} of the table that strace -c prints."""
    found = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) >= 5 and re.fullmatch(r"[\d.]+", parts[0]) and parts[-1] != "total":
            found[parts[-1]] = found.get(parts[-1], 0) + int(parts[3])
    return found


def run_inprocess(command, cores, seconds=180):
    """The JSON lines that a program prints."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        status = processes.finish(processes.start(command, cores, stdout=output, stderr=errors), seconds)
        if status is None:
            raise Failed(f"it did not end within {seconds} s")
        if status != 0:
            raise Failed(f"status {status}: {processes.last_words(errors)}")
        output.seek(0)
        return [json.loads(line) for line in output.read().decode().splitlines() if line.startswith("{")]


def _user_seconds(command, cores):
    """Processor time of a child and its children."""
    with tempfile.TemporaryFile() as errors:
        process = processes.start(command, cores, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            processes.finish(process, 0)
        if process.returncode != 0:
            raise Failed(processes.last_words(errors))
        return usage.ru_utime + usage.ru_stime


def compile_times(compiler, sources, include, rounds, cores):
    """[{source: seconds}] of one compiler, the sources taking turns."""
    if not shutil.which(compiler):
        raise Missing(f"{compiler} is not there")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            results.append({
                source.stem: round(_user_seconds([compiler, "-std=c++20", "-O2", "-I", include, "-c", source, "-o",
                                                  pathlib.Path(folder) / "out.o"], cores), 4)
                for source in sources})
    return results


ADAPTERS = {"torsion/core/log_spdlog.hpp"}


def public_headers(build):
    """The headers that get installed, as they are included; but for adapters to libraries that torsion does not need."""
    done = subprocess.run(["meson", "introspect", "--installed", str(build)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Missing("meson does not tell which headers get installed")
    found = []
    for target in json.loads(done.stdout).values():
        match = re.search(r"/include/(torsion/.*\.hpp)$", target)
        if match and match.group(1) not in ADAPTERS:
            found.append(match.group(1))
    return sorted(found)


def headers_that_show(compiler, headers, include, libraries=("openssl/", "event2/")):
    """{header: what of those libraries it includes}, of those public headers that do."""
    def shown(names):
        text = "".join(f"#include <{name}>\n" for name in names)
        done = subprocess.run([compiler, "-std=c++20", "-I", str(include), "-M", "-x", "c++", "-"], input=text,
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Failed(done.stderr.strip().splitlines()[0])
        return sorted({library.rstrip("/") for library in libraries if f"/{library}" in done.stdout})
    if not shown(headers):
        return {}
    return {name: found for name in headers if (found := shown([name]))}
