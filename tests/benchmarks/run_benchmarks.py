"""The smallest run of the benchmarks and its report, and what the load generator says when a server misbehaves."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True

ROOT, BUILD = map(pathlib.Path, sys.argv[1:3])
BENCHMARKS = ROOT / "benchmarks"
LOAD = BUILD / "benchmarks" / "bench_load"
SECONDS = 60


def load(port, case, *options):
    return subprocess.run([LOAD, str(port), case, "--connections", "2", "--seconds", "0.1", "--warmup", "0", *options],
                          capture_output=True, text=True, timeout=SECONDS)


@contextlib.contextmanager
def serving(talk):
    """A server that does talk(socket) with each connection; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection):
            with connection, contextlib.suppress(OSError):
                talk(connection)
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)   # close() alone would leave accept() waiting


def echo(connection, change=lambda octets: octets):
    while octets := connection.recv(65536):
        connection.sendall(change(octets))


def swallow(connection):
    while connection.recv(65536):
        pass


class TheLoad(unittest.TestCase):
    def refused(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in ("bench_load: ", *words):
            self.assertIn(word, done.stderr)

    def test_accepts_a_true_echo(self):
        with serving(echo) as port:
            for case in ("stream", "pingpong", "pipelined", "lines", "connect"):
                done = load(port, case)
                self.assertEqual(done.returncode, 0, done.stderr)
                figures = json.loads(done.stdout)
                self.assertEqual(figures["case"], case)
                self.assertGreater(figures["units_in_all"], 0)

    def test_finds_one_wrong_octet(self):
        for case in ("stream", "pingpong", "lines", "connect"):
            with serving(lambda c: echo(c, lambda octets: octets[:-1] + bytes([octets[-1] ^ 1]))) as port:
                where = "" if case in ("stream", "lines") else "octet 63 "   # the others get all 64 at once
                self.refused(load(port, case), f"{where}came back as 0x", "it was sent as 0x")

    def test_finds_octets_too_many(self):
        with serving(lambda c: echo(c, lambda octets: octets + b"x")) as port:
            self.refused(load(port, "pingpong"), "octets came back, 64 were sent")

    def test_finds_lines_in_the_wrong_order(self):
        def swap(octets):
            lines = octets.split(b"\r\n")
            return b"\r\n".join([lines[1], lines[0], *lines[2:]])
        with serving(lambda c: echo(c, swap)) as port:
            self.refused(load(port, "lines"), "came back as 0x")

    def test_says_that_nobody_listens(self):
        with socket.socket() as taken:   # bound, and so nobody else's, but not listening
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.refused(load(port, "pingpong"), f"cannot connect to 127.0.0.1:{port}: Connection refused")
            self.refused(load(port, "pingpong", "--tls", "1"), "Connection refused")

    def test_says_what_it_waited_for(self):
        with serving(swallow) as port:
            self.refused(load(port, "pingpong", "--patience", "0.2"), "has waited 0.2 s for the echo of octets 0 to 64")
            self.refused(load(port, "pingpong", "--patience", "0.2", "--tls", "2"),
                         "has waited 0.2 s for the handshake of TLS layer 1")

    def test_says_that_the_server_does_not_end(self):
        def stay(connection):
            connection.sendall(connection.recv(65536))
            swallow(connection)
            closed.wait(SECONDS)
        closed = threading.Event()
        with serving(stay) as port:
            self.refused(load(port, "connect", "--patience", "0.2"), "has waited 0.2 s for the server to end it")
            closed.set()

    def test_says_that_the_server_went_away(self):
        with serving(lambda c: c.recv(10)) as port:
            self.refused(load(port, "stream"), "after 0 of")
        with serving(lambda c: c.sendall(c.recv(65536))) as port:
            self.refused(load(port, "pingpong"), "connection", "after 64 of ")  # it may see the end before it asks again

    def test_refuses_an_unusable_command_line(self):
        for options in (["nonsense"], ["pingpong", "--tls", "9"], ["resume"], ["idle"], ["lines", "--size", "2"], ["stream", "x"]):
            done = subprocess.run([LOAD, "1", *options], capture_output=True, text=True, timeout=SECONDS)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertNotEqual(done.stderr, "")


class TheSummary(unittest.TestCase):
    def test_compares_within_a_round(self):
        """A machine that is twice as slow in one round, or that leaves one peer out, changes no ratio."""
        sys.path.insert(0, str(BENCHMARKS))
        self.addCleanup(sys.path.pop, 0)
        import summary

        def run(peer, number, seconds):
            return {"kind": "case", "case": "plain/lines", "peer": peer, "round": number, "units": 10, "unit": "line",
                    "server_cpu_seconds": seconds}
        data = {"peers": ["torsion", "epoll", "asio"], "failures": [], "left_out": [], "runs": [
            run("torsion", 0, 1.1), run("epoll", 0, 1), run("asio", 0, 3),
            run("epoll", 1, 2), run("torsion", 1, 2.4),
            run("torsion", 2, 5), run("epoll", 2, 5)]}
        columns, (row,) = summary.case_rows(data)
        self.assertEqual(columns, ["torsion", "epoll", "asio"])
        self.assertEqual(row.cells, ["1.10", "1.00", "3.00", "–", "1.05–1.15"])
        self.assertEqual((row.target, row.met), ("1.05", "no"))


class TheRunner(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def bench(self, build, *options):
        return subprocess.run([sys.executable, BENCHMARKS / "run.py", "--build", build, "--output", self.folder, *options],
                              capture_output=True, text=True, timeout=SECONDS)

    def test_measures_and_reports(self):
        # Long enough for a busy machine: in a fifth of a second it may make no connection.
        done = self.bench(BUILD, "--seconds", "1", "--rounds", "1", "--peers", "torsion", "epoll",
                          "--only", "plain/pingpong", "tls/connect")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("plain/pingpong", done.stdout)
        data = json.loads((self.folder / "data.json").read_text())
        self.assertEqual(data["failures"], [])
        self.assertEqual({(run["case"], run["peer"]) for run in data["runs"]},
                         {(case, peer) for case in ("plain/pingpong", "tls/connect") for peer in ("torsion", "epoll")})
        for run in data["runs"]:
            self.assertGreater(run["units"], 0)
            self.assertGreater(run["server_cpu_seconds"], 0)
        self.assertNotIn(str(BUILD), json.dumps(data))
        self.assertNotIn(socket.gethostname(), json.dumps(data["environment"]))
        self.report()

    def report(self):
        page = self.folder / "page.md"
        page.write_text((ROOT / "docs" / "benchmarks.md").read_text())
        command = [sys.executable, BENCHMARKS / "report.py", "--data", self.folder / "data.json", "--page", page]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = page.read_text()
        self.assertIn("| plain/pingpong |", text)
        self.assertIn("## Method", text)
        if "no pictures" in done.stderr:
            self.skipTest("matplotlib is not there; the tables were made, the pictures are not tried")
        picture = (self.folder / "benchmarks" / "ratios.svg").read_bytes()
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
        self.assertEqual(page.read_text(), text)
        self.assertEqual((self.folder / "benchmarks" / "ratios.svg").read_bytes(), picture)

    def stand_ins(self, server):
        """A build folder with the true load generator, and a script for torsion's server."""
        programs = self.folder / "stand" / "benchmarks"
        programs.mkdir(parents=True)
        (programs / "bench_load").symlink_to(LOAD)
        script = programs / "bench_server"
        script.write_text(f"#!{sys.executable}\n{server}")
        script.chmod(0o755)
        return programs.parent

    def test_goes_on_after_a_server_that_fails(self):
        build = self.stand_ins("raise SystemExit('no port today')")
        done = self.bench(build, "--seconds", "0.1", "--rounds", "1", "--peers", "torsion", "epoll", "--only", "plain/pingpong")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("bench_server ended with status 1 before it listened: no port today", done.stderr)
        self.assertIn("epoll_server is not built", done.stderr)
        self.assertIn("failed", done.stdout)
        self.assertIn("not there", done.stdout)

    def test_tells_of_a_server_that_does_not_listen_as_it_should(self):
        build = self.stand_ins("import time\nprint('hello', flush=True)\ntime.sleep(60)")
        done = self.bench(build, "--seconds", "0.1", "--peers", "torsion", "--only", "plain/pingpong", "--rounds", "1")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("where 'listening on 127.0.0.1:PORT' belongs", done.stderr)

    def test_leaves_no_process_behind_when_it_is_interrupted(self):
        told = self.folder / "pid"
        build = self.stand_ins("import os, pathlib, time\n"
                               f"pathlib.Path({str(told)!r}).write_text(f'{{os.getpid()}}.')\ntime.sleep(60)")
        runner = subprocess.Popen([sys.executable, BENCHMARKS / "run.py", "--build", build, "--output", self.folder,
                                   "--peers", "torsion", "--only", "plain/pingpong"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not told.exists() or not told.read_text().endswith("."):
            self.assertIsNone(runner.poll())
            time.sleep(0.01)
        runner.send_signal(signal.SIGINT)
        self.assertEqual(runner.wait(SECONDS), 130)
        with self.assertRaises(ProcessLookupError):
            os.kill(int(told.read_text().rstrip(".")), 0)

    def test_refuses_a_case_that_is_not_there(self):
        done = self.bench(BUILD, "--only", "plane")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no case 'plane'", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
