#!/usr/bin/env python3
"""Checks torsion as it is installed: what a program gets that knows nothing of the source tree.

Installs the build folder into a temporary folder, then, with the compiler of the build and by what pkg-config says of that
folder: the README's first program is built and echoes; the programs of docs/testing.md are built and pass, with doctest;
each header compiles alone, without a warning; and no installed header includes one that is not installed, or one of a
library that torsion hides. Prints a line for each fault.

usage: install_test.py SOURCE_ROOT BUILD_ROOT [--sanitize WHICH] -- COMPILER...
"""

import argparse
import concurrent.futures
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.MULTILINE)

# Headers of other libraries, and the only installed headers that may include them.
FOREIGN = {"doctest/": {"testing/doctest.hpp"}, "spdlog/": {"core/log_spdlog.hpp"}}
HIDDEN = ("openssl/", "event2/", "event.h", "evhttp.h", "evdns.h", "idn2.h", "fmt/")

COMPILE_LIMIT = 120  # seconds, for one source
RUN_LIMIT = 60

# What README.md lists, and what stands in its place here: a port that is free, on loopback, and said.
README_LISTENS = "    reactor.listenTCP(8000, Factory::forProtocol<Echo>());\n"
TEST_LISTENS = ('    auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>(), 50, "127.0.0.1");\n'
                '    std::printf("%u\\n", static_cast<unsigned>(port->getHost().port()));\n'
                '    std::fflush(stdout);\n')


class Installed:
    """torsion in a folder of its own, and the compiler."""

    def __init__(self, source, build, folder, compiler, sanitize):
        self.source, self.folder, self.compiler = source, folder, compiler
        self.root = folder / "root"
        meson = shlex.split(os.environ.get("MESONINTROSPECT", "meson introspect"))[:-1]
        run([*meson, "install", "--no-rebuild", "--quiet", "-C", build, "--destdir", self.root], RUN_LIMIT)
        configs = list(self.root.rglob("torsion.pc"))
        if len(configs) != 1:
            raise Fault(f"there is not one torsion.pc in {self.root}, but {len(configs)}")
        self.libraries = configs[0].parent.parent
        self.include = Path(self.pkg_config("--variable=includedir"))
        if not str(self.include).startswith(str(self.root)):
            self.include = Path(f"{self.root}{self.include}")
        self.headers = sorted(str(path.relative_to(self.include / "torsion"))
                              for path in (self.include / "torsion").rglob("*") if path.is_file())
        self.flags = ["-std=c++20", *shlex.split(self.pkg_config("--cflags"))]
        shared = any(self.libraries.glob("libtorsion.so*")) or any(self.libraries.glob("libtorsion*.dylib"))
        self.link = shlex.split(self.pkg_config("--libs", *([] if shared else ["--static"])))
        if sanitize != "none":
            self.flags.append(f"-fsanitize={sanitize}")

    def pkg_config(self, *arguments):
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.libraries / "pkgconfig"), PKG_CONFIG_SYSROOT_DIR=str(self.root))
        return run(["pkg-config", *arguments, "torsion"], RUN_LIMIT, env=environment).strip()

    def compile(self, name, text):
        """Builds a program of one source. @return where it is"""
        source, program = self.folder / f"{name}.cpp", self.folder / name
        source.write_text(text, encoding="utf-8")
        dependencies = self.folder / f"{name}.d"
        run([*self.compiler, *self.flags, *WARNINGS, "-MD", "-MF", dependencies, source, "-o", program, *self.link], COMPILE_LIMIT)
        for path in re.findall(r"\S*/torsion/\S+\.hpp", dependencies.read_text()):
            if not Path(path).resolve().is_relative_to(self.include):
                raise Fault(f"{name} was not built with what is installed, but with {path}")
        return program

    def environment(self):
        return dict(os.environ, LD_LIBRARY_PATH=str(self.libraries))


class Fault(Exception):
    pass


def run(command, limit, **options):
    """@return what it writes to stdout"""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit, **options)
    except subprocess.TimeoutExpired:
        raise Fault(f"{shlex.join(command)} was not done after {limit} s") from None
    except OSError as error:
        raise Fault(f"{shlex.join(command)}: {error}") from None
    if done.returncode != 0:
        output = (done.stderr + done.stdout).decode("utf-8", "replace")
        raise Fault(f"{shlex.join(command)} ended with status {done.returncode}:\n{output[-4000:]}")
    return done.stdout.decode("utf-8")


def check_readme(installed):
    """The README's first program is built as it says, and echoes."""
    readme = (installed.source / "README.md").read_text(encoding="utf-8")
    program = re.search(r"^```cpp\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL).group(1)
    if program.count(README_LISTENS) != 1:
        raise Fault(f"the README's first program does not contain {README_LISTENS.strip()!r}, in whose place a free port is to stand")
    echo = installed.compile("echo", program.replace(README_LISTENS, TEST_LISTENS))
    with subprocess.Popen([echo], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=installed.environment()) as server:
        try:
            line = server.stdout.readline()
            if not line:
                raise Fault(f"the README's program ended: {server.stderr.read().decode()}")
            with socket.create_connection(("127.0.0.1", int(line)), timeout=RUN_LIMIT) as client:
                client.sendall(b"as installed")
                client.shutdown(socket.SHUT_WR)
                answer = b""
                while piece := client.recv(4096):
                    answer += piece
            if answer != b"as installed":
                raise Fault(f"the README's program answers {answer!r}")
            server.send_signal(signal.SIGTERM)
            _, errors = server.communicate(timeout=RUN_LIMIT)
            if server.returncode != 0 or errors:
                raise Fault(f"the README's program ended with {server.returncode}: {errors.decode()}")
        finally:
            server.kill()
    return "echoes"


def check_test_kit(installed):
    """The programs of docs/testing.md are built as somebody else's test program, and pass."""
    page = (installed.source / "docs" / "testing.md").read_text(encoding="utf-8")
    text = (installed.source / "docs" / "snippets" / "testing.cpp").read_text(encoding="utf-8")
    for block in re.findall(r"^```cpp\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if block not in text:
            raise Fault("docs/snippets/testing.cpp is not what docs/testing.md shows")
    kit = installed.compile("kit", "#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN\n#include <doctest/doctest.h>\n\n"
                            "#include <torsion/testing/fault_calls.hpp>\n" + text)
    output = run([kit], RUN_LIMIT, env=installed.environment())
    result = re.search(r"test cases:\s*(\d+) \|\s*(\d+) passed", output)
    cases = len(re.findall(r"^(?:TEST_CASE|TORSION_\w*TEST\w*)\(", text, re.MULTILINE))
    if not result or int(result.group(1)) != cases or result.group(1) != result.group(2):
        raise Fault(f"the programs of docs/testing.md have {cases} test cases, and ended with:\n{output}")
    return f"{cases} test cases pass"


def check_includes(installed):
    """What the headers include, and that all are there which the source tree lists."""
    faults = []
    there = set(installed.headers)
    for header in installed.headers:
        for target in INCLUDE.findall((installed.include / "torsion" / header).read_text(encoding="utf-8")):
            where = f"torsion/{header} includes {target}"
            if target.startswith("torsion/"):
                if target.removeprefix("torsion/") not in there:
                    faults.append(f"{where}, which is not installed")
            elif target.startswith(HIDDEN):
                faults.append(f"{where}: that library is not to be seen")
            elif any(target.startswith(prefix) and header not in allowed for prefix, allowed in FOREIGN.items()):
                faults.append(f"{where}: only {FOREIGN} may")
            elif "/" in target and not target.startswith(("sys/", *FOREIGN)):
                faults.append(f"{where}, of which nothing is known")
    listed = {"torsion.hpp"}
    for build in installed.source.glob("*/meson.build"):
        for block in re.findall(r"floor_headers = files\((.*?)\)", build.read_text(encoding="utf-8"), re.DOTALL):
            listed |= {f"{build.parent.name}/{name}" for name in re.findall(r"'([^']+)'", block)}
    faults += [f"torsion/{name} is installed, and not listed" for name in there - listed]
    faults += [f"torsion/{name} is listed, and not installed" for name in listed - there]
    if faults:
        raise Fault("\n".join(sorted(faults)))
    return f"{len(there)} headers include what they may"


def compiled_first(installed, header):
    """Whether the library has a source that includes this header, unchanged, before all else: then it compiles alone."""
    source = (installed.source / header).with_suffix(".cpp")
    if header == "torsion.hpp" or not source.exists():
        return False
    if (installed.source / header).read_bytes() != (installed.include / "torsion" / header).read_bytes():
        raise Fault(f"torsion/{header} is not the one of the source tree")
    return INCLUDE.search(source.read_text(encoding="utf-8")).group(1) == f"torsion/{header}"


def check_headers(installed):
    """Each header compiles alone. Of most the library's own build is the proof; the rest is compiled here."""
    have_spdlog = subprocess.run(["pkg-config", "--exists", "spdlog"], check=False).returncode == 0
    wanted = [header for header in installed.headers if not compiled_first(installed, header)]
    note = ""
    if not have_spdlog and "core/log_spdlog.hpp" in wanted:
        wanted.remove("core/log_spdlog.hpp")
        note = "; core/log_spdlog.hpp was NOT compiled, for there is no spdlog here"

    def alone(header):
        source = installed.folder / (re.sub(r"\W", "_", header) + ".cpp")
        # Twice: once for what it lacks, once for its guard.
        source.write_text(f"#include <torsion/{header}>\n#include <torsion/{header}>\n", encoding="utf-8")
        spdlog = shlex.split(run(["pkg-config", "--cflags", "spdlog"], RUN_LIMIT)) if header == "core/log_spdlog.hpp" else []
        run([*installed.compiler, *installed.flags, *WARNINGS, *spdlog, "-fsyntax-only", source], COMPILE_LIMIT)

    faults = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(2, os.cpu_count() or 1))) as pool:
        for header, future in [(header, pool.submit(alone, header)) for header in wanted]:
            try:
                future.result()
            except Fault as fault:
                faults.append(f"torsion/{header} does not compile alone: {fault}")
    if faults:
        raise Fault("\n".join(faults))
    return f"{len(wanted)} headers compile alone here, {len(installed.headers) - len(wanted)} are the first include of their source{note}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--sanitize", default="none", help="what the library was built with (b_sanitize)")
    parser.add_argument("compiler", nargs="+")
    arguments = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="torsion-install-")).resolve()
    failed = False
    try:
        begin = time.monotonic()
        installed = Installed(arguments.source.resolve(), arguments.build.resolve(), folder, arguments.compiler, arguments.sanitize)
        print(f"installed: {len(installed.headers)} headers, {time.monotonic() - begin:.1f} s")
        for check in (check_includes, check_readme, check_test_kit, check_headers):
            begin = time.monotonic()
            try:
                outcome = check(installed)
            except Fault as fault:
                failed = True
                outcome = f"FAILED: {fault}"
            print(f"{check.__name__}: {outcome} ({time.monotonic() - begin:.1f} s)", flush=True)
    except Fault as fault:
        failed = True
        print(f"FAILED: {fault}")
    finally:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
