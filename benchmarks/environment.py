"""What the figures were measured on: no names of hosts, and no paths."""

import os
import platform
import re
import subprocess


def output_of(*command, cwd=None):
    """The first line that a command prints, None if there is no such command or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=cwd)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            match = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    except OSError:
        match = None
    return match.group(1) if match else platform.machine()


def asio_version():
    """Its header tells it as 102201 for 1.22.1."""
    try:
        done = subprocess.run(["g++", "-E", "-dM", "-x", "c++", "-include", "asio/version.hpp", "/dev/null"],
                              capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"#define ASIO_VERSION (\d+)", done.stdout)
    if not match:
        return None
    number = int(match.group(1))
    return f"{number // 100000}.{number // 100 % 1000}.{number % 100}"


def commit(root):
    short = output_of("git", "rev-parse", "--short=12", "HEAD", cwd=root)
    dirty = output_of("git", "status", "--porcelain", cwd=root) is not None
    return {"commit": short, "dirty": bool(short and dirty)}


def describe(root, cores):
    return {
        "processor": processor(),
        "cores": len(cores.all),
        "server_and_load": "on different cores" if cores.server != cores.load else "on the same core",
        "kernel": platform.release(),
        "gcc": output_of("g++", "-dumpfullversion"),
        "clang": output_of("clang++", "-dumpversion"),
        "openssl": output_of("pkg-config", "--modversion", "openssl"),
        "libevent": output_of("pkg-config", "--modversion", "libevent_core"),
        "libuv": output_of("pkg-config", "--modversion", "libuv"),
        "asio": asio_version(),
        "twisted": output_of("/usr/bin/python3", "-c", "import twisted; print(twisted.__version__)"),
        "python": platform.python_version(),
        "machine_load": round(os.getloadavg()[0], 2),
        **commit(root),
    }
