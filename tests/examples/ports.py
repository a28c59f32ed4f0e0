"""The programs of examples/ports: each and its Python original do the same when they are driven by the same script."""

import os
import pathlib
import re

from harness.cases import add_case
from harness.programs import Failed, expect
from harness.sockets import connect, free_port, read_line, wait_closed, wait_until
from interop.needs import twisted

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "ports"
LANGUAGES = ["cpp", "python"]


def folder(kit, language):
    """Where the programs of that language are."""
    if language == "cpp":
        return kit.folder / "ports"
    twisted()
    return SOURCES


def serve(kit, language, name, *arguments):
    return kit.serve(name, *arguments, folder=folder(kit, language))


def start(kit, language, name, *arguments):
    return kit.start(name, *arguments, folder=folder(kit, language))


def expect_lines(program, lines, status=0):
    ended = program.wait()
    expect(ended == status, f"{program.name} ended with status {ended}, not {status}")
    printed = program.matching("", "out")
    expect(printed == lines, f"{program.name} says {printed}, not {lines}")


# Finger


class Finger:
    """A server of users that are in a file."""

    def __init__(self, kit, language, users, reread=60000):
        self.file = kit.scratch / "users"
        if users is not None:
            self.write(users)
        self.server = serve(kit, language, "finger", "--setter-port", 0, "--users", self.file, "--reread", reread)
        self.setter_port = int(self.server.wait_line(r"SETTER (\d+)$").group(1))

    def write(self, users):
        """At once: a reader sees the old file or the new one."""
        new = self.file.with_suffix(".new")
        new.write_bytes(users)
        os.replace(new, self.file)

    def ask(self, user):
        with connect(self.server.port) as sock:
            sock.sendall(user + b"\r\n")
            return wait_closed(sock, "the answer")

    def expect(self, user, answer):
        found = self.ask(user)
        expect(found == answer + b"\r\n", f"{user!r} is answered with {found!r}, not {answer!r}")


def finger_answers(kit, language):
    finger = Finger(kit, language, b"alice: at lunch\nno colon\n\n bob :out: back at 5 \r\n")
    finger.expect(b"alice", b"at lunch")
    finger.expect(b"bob", b"out: back at 5")
    finger.expect(b"carol", b"No such user")
    finger.expect(b"no colon", b"No such user")
    finger.expect(b"", b"No such user")
    finger.server.ends_well()


def finger_setter(kit, language):
    finger = Finger(kit, language, b"alice: at lunch\n")
    with connect(finger.setter_port) as sock:
        sock.sendall(b"alice\r\nba")
        finger.expect(b"alice", b"at lunch")
        sock.sendall(b"ck\r\nat work\r\n")
        expect(wait_closed(sock, "the setter") == b"", "the setter says something")
    finger.expect(b"alice", b"back")
    with connect(finger.setter_port) as sock:
        sock.sendall(b"carol\r\nnew here\r\n")
        wait_closed(sock, "the setter")
    finger.expect(b"carol", b"new here")
    finger.server.ends_well()


def finger_half_set(kit, language):
    """Who leaves after the name has changed nothing."""
    finger = Finger(kit, language, b"alice: at lunch\n")
    with connect(finger.setter_port) as sock:
        sock.sendall(b"alice\r\n")
    finger.expect(b"alice", b"at lunch")
    finger.server.ends_well()


def finger_rereads(kit, language):
    finger = Finger(kit, language, b"alice: at lunch\n", reread=50)
    finger.expect(b"alice", b"at lunch")
    finger.write(b"alice: at work\n")
    wait_until(lambda: finger.ask(b"alice") == b"at work\r\n", "the new status")
    finger.server.ends_well()


def finger_internal_error(kit, language):
    """While the file cannot be read, that is the server's own trouble; its timer goes on, and it is over by itself."""
    finger = Finger(kit, language, None, reread=50)
    finger.expect(b"alice", b"Internal error in server")
    finger.server.wait_line(".*the users cannot be read")
    finger.write(b"alice: at lunch\n")
    wait_until(lambda: finger.ask(b"alice") == b"at lunch\r\n", "the status")
    finger.server.ends_well()


def finger_sigterm(kit, language):
    """Both ports are closed, and whoever is still connected hears of the end."""
    finger = Finger(kit, language, b"")
    with connect(finger.server.port) as idle:
        finger.expect(b"alice", b"No such user")
        finger.server.ends_well()
        wait_closed(idle, "the idle connection")
    for port in (finger.server.port, finger.setter_port):
        try:
            connect(port).close()
        except ConnectionRefusedError:
            continue
        raise Failed(f"port {port} still listens")


def finger_port_in_use(kit, language):
    first = Finger(kit, language, b"")
    second = start(kit, language, "finger", "--port", first.server.port, "--setter-port", 0, "--users", first.file)
    expect(second.wait() in (1, 69), "a port in use is no failure")
    expect(not second.matching("LISTENING", "out"), "it says that it listens")
    first.server.ends_well()


# Chat


class Guest:
    def __init__(self, port, name=None):
        self.sock = connect(port)
        self.hears(b"Who are you?")
        if name is not None:
            self.says(name)
            self.hears(b"Hello " + name)

    def says(self, line):
        self.sock.sendall(line + b"\r\n")

    def hears(self, *lines):
        for line in lines:
            heard = read_line(self.sock, timeout=20)
            expect(heard == line, f"a guest hears {heard!r}, not {line!r}")

    def hears_at_last(self, line):
        """Whatever else is said before."""
        while read_line(self.sock, timeout=20) != line:
            pass

    def leaves(self):
        self.sock.close()


def chat_room(kit, language):
    server = serve(kit, language, "chat")
    alice = Guest(server.port, b"alice")
    bob = Guest(server.port, b"bob")
    alice.hears(b"* bob came")
    carol = Guest(server.port, b"carol")
    alice.hears(b"* carol came")
    bob.hears(b"* carol came")
    alice.says(b"good morning")
    alice.says(b"")
    for other in (bob, carol):
        other.hears(b"<alice> good morning", b"<alice> ")
    bob.says(b"hello")
    alice.hears(b"<bob> hello")
    carol.hears(b"<bob> hello")
    bob.leaves()
    alice.hears(b"* bob left")
    carol.hears(b"* bob left")
    server.ends_well()


def chat_name_taken(kit, language):
    server = serve(kit, language, "chat")
    alice = Guest(server.port, b"alice")
    other = Guest(server.port)
    for name in (b"alice", b""):
        other.says(name)
        other.hears(b"Not that name, please")
    nobody = Guest(server.port)
    nobody.leaves()  # unheard: it had no name
    other.says(b"bob")
    other.hears(b"Hello bob")
    alice.hears(b"* bob came")
    alice.leaves()
    other.hears(b"* alice left")
    again = Guest(server.port, b"alice")  # the name is free again
    other.hears(b"* alice came")
    again.leaves()
    server.ends_well()


# The client that stays connected


def remind(kit, language, port, *arguments):
    return start(kit, language, "reminder", "--port", port, "--every", 100, *arguments)


def restart(kit, language, name, port):
    """A server on the port of one that has ended, which somebody else may hold for a moment."""
    for _ in range(20):
        server = start(kit, language, name, "--port", port)
        try:
            server.wait_line(f"LISTENING {port}$")
            return server
        except Failed:
            if server.process.poll() is None:
                raise
    raise Failed(f"port {port} did not become free")


def reminder_stays_connected(kit, server_language, client_language):
    server = serve(kit, server_language, "chat")
    alice = Guest(server.port, b"alice")
    reminder = remind(kit, client_language, server.port)
    alice.hears(b"* reminder came", b"<reminder> drink water", b"<reminder> drink water")
    server.ends_well()
    again = restart(kit, server_language, "chat", server.port)
    alice = Guest(server.port, b"alice")
    alice.hears_at_last(b"<reminder> drink water")
    alice.hears(b"<reminder> drink water")
    expect(reminder.terminate() == 0, "SIGTERM is a failure")
    alice.hears_at_last(b"* reminder left")
    expect(reminder.matching("", "out") == ["logged in"] * 2, f"the reminder says {reminder.matching('', 'out')}")
    expect(again.terminate() == 0, "SIGTERM is a failure")


def reminder_gives_up(kit, language):
    expect_lines(remind(kit, language, free_port()), ["giving up"], 1)


def reminder_refused(kit, server_language, client_language):
    """A connection on which the login fails is a failed attempt, and closed."""
    server = serve(kit, server_language, "chat")
    alice = Guest(server.port, b"alice")
    before = server.descriptors()
    expect_lines(remind(kit, client_language, server.port, "--name", "alice"), ["giving up"], 1)
    wait_until(lambda: server.descriptors() <= before, "the refused connections are still open")
    bob = Guest(server.port, b"bob")
    alice.hears(b"* bob came")
    bob.leaves()
    server.ends_well()


def reminder_stops_while_it_waits(kit, language):
    """SIGTERM between two attempts."""
    server = serve(kit, "cpp", "chat")
    reminder = remind(kit, language, server.port)
    reminder.wait_line("logged in")
    server.ends_well()
    expect(reminder.terminate() == 0, "SIGTERM is a failure")
    expect(reminder.matching("", "out") == ["logged in"], f"the reminder says {reminder.matching('', 'out')}")


# Questions and answers


def ask(kit, language, port, *arguments):
    return start(kit, language, "questions_client", "--port", port, *arguments)


def questions_in_order(kit, server_language, client_language):
    server = serve(kit, server_language, "questions_server")
    client = ask(kit, client_language, server.port, "add 1 2", "wait 100", "add", "add one", "how are you", "",
                 "wait", "wait 0", "add 3 4")
    expect_lines(client, ["add 1 2: 3", "wait 100: done", "add: 0", "add one: refused: one is no number",
                          "how are you: refused: are is no number", ": refused: no such question",
                          "wait: refused: no such question", "wait 0: done", "add 3 4: 7"])
    server.ends_well()


def questions_late_answer(kit, server_language, client_language):
    """The answer that comes after its question has timed out is not taken for the next one's."""
    server = serve(kit, server_language, "questions_server")
    client = ask(kit, client_language, server.port, "--timeout", 2000, "--window", 1, "wait 2500", "add 1 2")
    expect_lines(client, ["wait 2500: timed out", "add 1 2: 3"])
    server.ends_well()


def questions_lost(kit, server_language, client_language):
    """What waits when the connection goes fails, and so does what is asked then."""
    server = serve(kit, server_language, "questions_server")
    expect_lines(ask(kit, client_language, server.port, "--window", 1, "add 1 2", "bye", "add 3 4"),
                 ["add 1 2: 3", "bye: lost", "add 3 4: lost"])
    client = ask(kit, client_language, server.port, "add 1 2", "wait 600000", "add 3 4")
    client.wait_line("add 1 2: 3")
    server.process.kill()
    expect_lines(client, ["add 1 2: 3", "wait 600000: lost", "add 3 4: lost"])


def questions_to_nobody(kit, language):
    expect_lines(ask(kit, language, free_port(), "add 1 2"), [], 1)


def questions_one_at_a_time(kit, language):
    """Lines that come while one is answered wait for that; what is not asked yet is not answered."""
    server = serve(kit, language, "questions_server")
    with connect(server.port) as sock:
        sock.sendall(b"wait 100\r\nadd 1 1\r\nadd 2 ")
        for answer in (b"= done", b"= 2"):
            line = read_line(sock)
            expect(line == answer, f"{line!r}, not {answer!r}")
        sock.sendall(b"2\r\nbye\r\nadd 3 3\r\n")
        expect(wait_closed(sock, "the server") == b"= 4\r\n", "not what was asked before the end")
    with connect(server.port) as sock:
        sock.sendall(b"wait 600000\r\n")  # leaves without the answer
    server.ends_well()


# The periodic job


def job(kit, language, text, *arguments):
    """@return the program and a function that changes what it sees"""
    path = kit.scratch / "file"

    def write(new_text):
        new = path.with_suffix(".new")
        new.write_text(new_text)
        os.replace(new, path)

    write(text)
    return start(kit, language, "periodic_job", *arguments, path), path, write


def job_until_stopped(kit, language):
    program, _, write = job(kit, language, "one\nmore", "--every", 50)
    program.wait_line(r"\d+: one$", count=3)
    write("two")
    program.wait_line(r"\d+: two$", count=2)
    write("stop")
    expect(program.wait() == 0, "stopping is a failure")
    printed = program.matching("", "out")
    expect(printed[0] == "1: one", f"the first line is {printed[0]!r}")
    expect(re.fullmatch(r"\d+: stop", printed[-1]), f"the last look is {printed[-1]!r}")


def job_misses_beats(kit, language):
    """A look that takes longer than the interval costs beats, which are counted and not made up for."""
    program, _, _ = job(kit, language, "one", "--every", 100, "--work", 250)
    program.wait_line(r"\d+: one$", count=4)
    expect(program.terminate() == 0, "SIGTERM is a failure")
    printed = program.matching("", "out")
    expect(all(re.fullmatch(r"\d+: one", line) for line in printed), f"the lines are {printed}")
    beats = [int(line.split(":")[0]) for line in printed]
    expect(beats[0] == 1 and all(count >= 3 for count in beats[1:]), f"the beats are {beats}")


def job_fails(kit, language):
    program, path, _ = job(kit, language, "one", "--every", 50)
    program.wait_line(r"\d+: one$", count=2)
    path.unlink()
    program.wait_line("failed$")
    expect(program.wait() == 1, "the failure of the job is none of the program's")
    expect(program.matching("", "out")[-1] == "failed", "something comes behind the failure")
    expect(str(path) in program.text("err"), "the log does not name the file")


for one in LANGUAGES:
    add_case("ports", f"finger/answers/{one}", finger_answers, one)
    add_case("ports", f"finger/setter/{one}", finger_setter, one)
    add_case("ports", f"finger/half-set/{one}", finger_half_set, one)
    add_case("ports", f"finger/reread/{one}", finger_rereads, one)
    add_case("ports", f"finger/internal-error/{one}", finger_internal_error, one)
    add_case("ports", f"finger/sigterm/{one}", finger_sigterm, one)
    add_case("ports", f"finger/port-in-use/{one}", finger_port_in_use, one)
    add_case("ports", f"chat/room/{one}", chat_room, one)
    add_case("ports", f"chat/name-taken/{one}", chat_name_taken, one)
    add_case("ports", f"reminder/gives-up/{one}", reminder_gives_up, one)
    add_case("ports", f"reminder/sigterm/{one}", reminder_stops_while_it_waits, one)
    add_case("ports", f"questions/one-at-a-time/{one}", questions_one_at_a_time, one)
    add_case("ports", f"questions/nobody/{one}", questions_to_nobody, one)
    add_case("ports", f"job/stopped/{one}", job_until_stopped, one)
    add_case("ports", f"job/beats/{one}", job_misses_beats, one)
    add_case("ports", f"job/fails/{one}", job_fails, one)
    for other in LANGUAGES:
        pair = f"{one}-server/{other}-client"
        add_case("ports", f"reminder/comes-back/{pair}", reminder_stays_connected, one, other)
        add_case("ports", f"reminder/refused/{pair}", reminder_refused, one, other)
        add_case("ports", f"questions/in-order/{pair}", questions_in_order, one, other)
        add_case("ports", f"questions/late-answer/{pair}", questions_late_answer, one, other)
        add_case("ports", f"questions/lost/{pair}", questions_lost, one, other)
