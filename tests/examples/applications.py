"""A server that service::run runs: what the service manager hears, how it drains, who it becomes, whose sockets it takes."""

import fcntl
import os
import pwd
import signal
import socket
import time

from harness.cases import PYTHON, add_case, case
from harness.programs import Failed, Skipped, expect
from harness.sockets import connect, wait_closed, wait_until

from .steps import no_backtrace

# Becomes the program with the descriptors at 3 and on, for which systemd would have said who they are for.
ACTIVATE = """
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",")]
for number, fd in enumerate(fds):
    os.dup2(fd, 3 + number)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
NOBODY = "nobody"
LOCAL = "tcp:0:interface=127.0.0.1"


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, kit, kind="abstract"):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        kit.at_end(self._socket.close)
        if kind == "path":
            self.address = str(kit.scratch / "notify")
            self._socket.bind(self.address)
        else:
            self._socket.bind("")  # the system picks an abstract name
            self.address = "@" + self._socket.getsockname()[1:].decode()

    def next(self, timeout=15):
        """The next message, as its lines."""
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(4096).decode().split("\n")
        except socket.timeout:
            raise Failed(f"the service manager heard nothing within {timeout} s") from None

    def rest(self):
        """All that has come besides."""
        self._socket.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return messages


class Application:
    """The running program, its port, and who hears of it."""

    def __init__(self, kit, *flags, manager="abstract", endpoint=LOCAL, **options):
        self.manager = Manager(kit, manager)
        self.program = kit.start("application_server", "--endpoint", endpoint, *flags,
                                 environment={"NOTIFY_SOCKET": self.manager.address}, **options)
        self.port = int(self.program.wait_line(r"LISTENING (\d+)$").group(1))
        expect(self.manager.next() == ["READY=1"], "the service manager did not hear READY=1 first")

    def connect(self):
        sock = connect(self.port)
        echoes(sock)
        return sock

    def terminate(self, number=signal.SIGTERM):
        self.program.process.send_signal(number)
        heard = self.manager.next()
        expect(heard[0] == "STOPPING=1", f"the service manager heard {heard}, not STOPPING=1")
        wait_until(lambda: refuses(self.port), "it still accepts", 10)

    def ends(self, timeout=10):
        status = self.program.wait(timeout)
        expect(status == 0, f"it ended with status {status}")
        no_backtrace(self.program)

    def drained(self, ended, aborted):
        line = f"Drained {ended} connections, aborted {aborted}"
        expect(line in self.program.text("err"), f"the log does not say {line!r}")


def echoes(sock):
    sock.sendall(b"still here?")
    expect(sock.recv(100) == b"still here?", "no echo")


def refuses(port):
    try:
        connect(port).close()
    except ConnectionError:
        return True
    return False


def was_reset(sock):
    sock.settimeout(10)
    try:
        sock.recv(100)
    except ConnectionResetError:
        return True
    return False


def drains(kit, kind, number):
    """It stops to accept; the connection that is there goes on, and its end is that of the program."""
    server = Application(kit, manager=kind)
    sock = server.connect()
    server.terminate(number)
    server.program.wait_line(r".*Draining: waiting for 1 connections to end, 30 s at most")
    echoes(sock)
    expect(server.program.process.poll() is None, "it has ended before its connection")
    sock.close()
    server.ends()
    server.drained(1, 0)
    expect(server.program.matching("lost: ", "out") == ["lost: clean"], "the connection was not told of a clean end")
    expect(server.manager.rest() == ["STATUS=Draining: waiting for 1 connections to end"], "the manager heard more")


add_case("applications", "drain/path", drains, "path", signal.SIGTERM)
add_case("applications", "drain/abstract", drains, "abstract", signal.SIGTERM)
add_case("applications", "drain/SIGINT", drains, "abstract", signal.SIGINT)


@case("applications", "deadline")
def deadline(kit):
    server = Application(kit, "--drain-time", 400)
    ends, stays = server.connect(), server.connect()
    began = time.monotonic()
    server.terminate()
    ends.close()
    expect(was_reset(stays), "the connection that did not end was not reset")
    expect(time.monotonic() - began >= 0.4, "it was aborted before its time was up")
    server.ends()
    server.drained(1, 1)


@case("applications", "second-signal")
def second_signal(kit):
    server = Application(kit, "--drain-time", 600000)
    sock = server.connect()
    server.terminate()
    echoes(sock)
    server.program.process.send_signal(signal.SIGTERM)
    expect(was_reset(sock), "the connection was not reset")
    server.ends()
    server.drained(0, 1)


@case("applications", "listener")
def listener(kit):
    """Connections whose protocol listens for the drain close themselves."""
    server = Application(kit, "--close-when-draining", "--drain-time", 600000)
    socks = [server.connect() for _ in range(20)]
    server.program.process.send_signal(signal.SIGTERM)
    for sock in socks:
        expect(wait_closed(sock, "a connection") == b"", "more came than the end")
    server.ends()
    server.drained(20, 0)
    expect(server.program.matching("lost: ", "out") == ["lost: clean"] * 20, "not all have ended well")


@case("applications", "idle")
def idle(kit):
    """Without connections, and without a service manager, it ends at once."""
    program = kit.start("application_server", "--endpoint", LOCAL)
    program.wait_line("LISTENING ")
    expect(program.terminate() == 0, "it did not end well")


def complaint(kit, status, *flags, containing, **options):
    """It cannot start, says why in one line, and the service manager hears it, too."""
    manager = Manager(kit)
    program = kit.start("application_server", *flags, environment={"NOTIFY_SOCKET": manager.address}, **options)
    ended = program.wait()
    expect(ended == status, f"it ended with status {ended}, not {status}")
    said = [line for line in program.text("err").split("\n") if line]
    expect(len(said) == 1 and containing in said[0], f"it says {said}, not one line with {containing!r}")
    expect("READY=1" not in manager.rest(), "READY=1 was sent")
    no_backtrace(program)


@case("applications", "port-in-use")
def port_in_use(kit):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        complaint(kit, 69, "--endpoint", f"tcp:{port}:interface=127.0.0.1", containing=str(port))


@case("applications", "bad-endpoint")
def bad_endpoint(kit):
    complaint(kit, 78, "--endpoint", "nonsense:1", containing="nonsense")


@case("applications", "unknown-user")
def unknown_user(kit):
    complaint(kit, 67, "--endpoint", LOCAL, "--user", "no-such-user-here", containing="'no-such-user-here'")
    complaint(kit, 67, "--endpoint", LOCAL, "--user", NOBODY, "--group", "no-such-group", containing="'no-such-group'")


def become_nobody():
    """For `limits`: the child is nobody, if we may do that."""
    entry = pwd.getpwnam(NOBODY)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


@case("applications", "not-root")
def not_root(kit):
    """Who is not root can become nobody else, but may ask for who he is."""
    limits = become_nobody if os.geteuid() == 0 else None
    if limits and not readable_by_others(kit.folder / "application_server"):
        raise Skipped("runs as root, and nobody else may run the programs in this folder")
    complaint(kit, 77, "--endpoint", LOCAL, "--user", "root", containing="only root can", limits=limits)
    own = NOBODY if limits else str(os.geteuid())
    program = kit.start("application_server", "--endpoint", LOCAL, "--user", own, limits=limits)
    program.wait_line("LISTENING ")
    expect(program.terminate() == 0, "it did not end well as itself")


def readable_by_others(path):
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and path.stat().st_mode & 0o001


def identity(pid):
    """The lines of /proc that tell who a process is."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {name: [int(number, 16 if name.startswith("Cap") else 10) for number in fields[name].split()]
            for name in ("Uid", "Gid", "Groups", "CapPrm", "CapEff")}


@case("applications", "privileges")
def privileges(kit):
    """It listens as root, and goes on as nobody with all that belongs to that."""
    if os.geteuid() != 0:
        raise Skipped("only root can give up root's rights, and this runs as uid %d" % os.geteuid())
    entry = pwd.getpwnam(NOBODY)
    place = kit.scratch / "only-root-may-write-here.sock"
    server = kit.start("application_server", "--endpoint", f"unix:{place}", "--user", NOBODY)
    server.wait_line("LISTENING ")
    expect(place.stat().st_uid == 0, "the socket was not made as root")
    found = identity(server.pid)
    expect(found["Uid"] == [entry.pw_uid] * 4, f"the user is {found['Uid']}")
    expect(found["Gid"] == [entry.pw_gid] * 4, f"the group is {found['Gid']}")
    groups = sorted(set(os.getgrouplist(NOBODY, entry.pw_gid)))
    expect(sorted(set(found["Groups"])) == groups, f"the groups are {found['Groups']}, not {groups}")
    expect(found["CapPrm"] == [0] and found["CapEff"] == [0], f"it has capabilities: {found}")
    for task in os.listdir(f"/proc/{server.pid}/task"):
        expect(identity(task)["Uid"] == [entry.pw_uid] * 4, "one of its threads is somebody else")
    expect(server.terminate() == 0, "it did not end well")


@case("applications", "privileges/group")
def other_group(kit):
    if os.geteuid() != 0:
        raise Skipped("only root can give up root's rights, and this runs as uid %d" % os.geteuid())
    server = Application(kit, "--user", NOBODY, "--group", "1")
    found = identity(server.program.pid)
    expect(found["Gid"] == [1] * 4 and 1 in found["Groups"] and 0 not in found["Groups"], f"it is {found}")
    server.terminate()
    server.ends()


def listening_socket(kit, family=socket.AF_INET):
    """A socket that listens, at a descriptor that is out of the way."""
    if family == socket.AF_UNIX:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(kit.scratch / "activated.sock"))
        sock.listen()
    else:
        sock = socket.create_server(("127.0.0.1", 0))
    kit.at_end(sock.close)
    descriptor = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 100)
    kit.at_end(lambda: os.close(descriptor))
    return sock, descriptor


def activated(kit, descriptors, endpoint, **variables):
    """Starts the program as systemd does it: the sockets from descriptor 3 on, and the variables of LISTEN_FDS."""
    argv = [PYTHON, "-c", ACTIVATE, ",".join(map(str, descriptors)), *kit.path("application_server")]
    return kit.run([*argv, "--endpoint", endpoint], "application_server", descriptors=descriptors,
                   environment={name: str(value) for name, value in variables.items()})


def activation(kit, which):
    """It takes the socket that is meant, with the connection that has come before it; and the socket outlives it."""
    _, other = listening_socket(kit)
    sock, descriptor = listening_socket(kit)
    port = sock.getsockname()[1]
    early = connect(port)
    program = activated(kit, [other, descriptor], f"systemd:domain=INET:{which}", LISTEN_FDS=2,
                        LISTEN_FDNAMES="control:web")
    expect(int(program.wait_line(r"LISTENING (\d+)$").group(1)) == port, f"it does not listen on {port}")
    late = connect(port)
    for client in (early, late):
        echoes(client)
        client.close()
    program.wait_line("lost: clean", count=2)
    expect(program.terminate() == 0, "it did not end well")
    connect(port).close()  # it waits for the next program, and nobody is turned away meanwhile


add_case("applications", "systemd/index", activation, "index=1")
add_case("applications", "systemd/name", activation, "name=web")


@case("applications", "systemd/unix")
def activation_unix(kit):
    sock, descriptor = listening_socket(kit, socket.AF_UNIX)
    program = activated(kit, [descriptor], "systemd:domain=UNIX:index=0", LISTEN_FDS=1)
    program.wait_line("LISTENING ")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(sock.getsockname())
        echoes(client)
    expect(program.terminate() == 0, "it did not end well")
    expect((kit.scratch / "activated.sock").exists(), "the socket's file is gone, which was not its own")


def refused_activation(kit, endpoint, containing, variables):
    _, descriptor = listening_socket(kit)
    program = activated(kit, [descriptor], endpoint, **variables)
    expect(program.wait() == 78, "it did not end with status 78")
    expect(containing in program.text("err"), f"it does not say {containing!r}")
    no_backtrace(program)


ONE = {"LISTEN_FDS": 1, "LISTEN_FDNAMES": "web"}
for case_name, where, told, variables_of_case in (
        ("no-such-name", "systemd:domain=INET:name=shop", "named 'web'", ONE),
        ("no-such-index", "systemd:domain=INET:index=1", "the process was started with 1", ONE),
        ("none", "systemd:domain=INET:index=0", "the process was started with none", {}),
        ("names-do-not-fit", "systemd:domain=INET:index=0", "the process was started with none",
         {"LISTEN_FDS": 1, "LISTEN_FDNAMES": "web:control"})):
    add_case("applications", f"systemd/{case_name}", refused_activation, where, told, variables_of_case)


@case("applications", "systemd/wrong-family")
def wrong_family(kit):
    _, descriptor = listening_socket(kit)
    program = activated(kit, [descriptor], "systemd:domain=INET6:index=0", LISTEN_FDS=1)
    expect(program.wait() == 69, "it did not end with status 69")
    expect("could not start" in program.text("err"), "it does not say why")
    no_backtrace(program)


@case("applications", "systemd/of-another")
def of_another_process(kit):
    """The variables name another process: the sockets are not for this one."""
    _, descriptor = listening_socket(kit)
    program = kit.start("application_server", "--endpoint", "systemd:domain=INET:index=0", descriptors=[descriptor],
                        environment={"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
    expect(program.wait() == 78, "it did not end with status 78")
    expect("the process was started with none" in program.text("err"), "it does not say that there are none")


@case("applications", "fd")
def inherited_descriptor(kit):
    sock, descriptor = listening_socket(kit)
    server = Application(kit, endpoint=f"fd:fileno={descriptor}:domain=INET", descriptors=[descriptor])
    expect(server.port == sock.getsockname()[1], "it listens elsewhere")
    with server.connect() as client:
        server.program.process.send_signal(signal.SIGTERM)
        expect(server.manager.next()[0] == "STOPPING=1", "no STOPPING=1")
        echoes(client)
    server.ends()
