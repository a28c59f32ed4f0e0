"""tls_tunnel: three processes between a client and a service, and what each of them and each wire gets to see."""

import contextlib
import hashlib
import random
import socket
import threading
import time

from harness.cases import Server, add_case, case
from harness.layers import Layered, client_context
from harness.programs import expect
from harness.sockets import Listener, connect, read_line, reset, wait_closed, wait_until

from .bad_input import complains
from .steps import no_backtrace

SEED = 20240307
VOLUME = 10 << 20
QUESTION, ANSWER = b"the client says something", b"the service answers something"


def _stage(kit, stage, next_port, *flags, port=0):
    program = kit.start("tls_tunnel", stage, "--port", port, "--to", f"tcp:localhost:{next_port}", *flags)
    return Server(program, int(program.wait_line(r"LISTENING (\d+)$").group(1)))


class Wire(Listener):
    """Stands between two processes and keeps what passes, each direction apart."""

    def __init__(self, kit, next_port):
        self._next_port = next_port
        self.onward, self.back = bytearray(), bytearray()
        super().__init__(kit, self._relay)

    def _relay(self, sock):
        with connect(self._next_port, 15) as upstream:
            answers = threading.Thread(target=self._carry, args=(upstream, sock, self.back), daemon=True)
            answers.start()
            self._carry(sock, upstream, self.onward)
            answers.join(15)

    @staticmethod
    def _carry(source, target, seen):
        try:
            while data := source.recv(65536):
                seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Tunnel:
    """The three processes, as the advice has them, in front of a service."""

    def __init__(self, kit, service_port, hop1="layer1", hop2="layer2", wires=False):
        self.kit, self._service_port = kit, service_port
        self._wired = wires
        self._certificates = {"hop1": getattr(kit.certs, hop1), "hop2": getattr(kit.certs, hop2)}
        self.stages, self.wires = {}, {}
        for stage in ("hop2", "hop1", "entry"):
            self.start(stage)

    def start(self, stage, port=0):
        flags = self._entry_flags() if stage == "entry" else ["--cert", self._certificates[stage]]
        following = {"entry": "hop1", "hop1": "hop2"}.get(stage)
        next_port = self.stages[following].port if following else self._service_port
        if self._wired:
            self.wires[stage] = Wire(self.kit, next_port)
            next_port = self.wires[stage].port
        self.stages[stage] = _stage(self.kit, stage, next_port, *flags, port=port)

    def _entry_flags(self):
        flags = []
        for n in (1, 2):
            flags += ["--ca", getattr(self.kit.certs, f"layer{n}_public"), "--hostname", f"layer{n}.example"]
        return flags

    def __getattr__(self, stage):
        return self.stages[stage]

    def connect(self):
        return connect(self.entry.port)

    def ends_well(self):
        for server in self.stages.values():
            server.ends_well()
            no_backtrace(server)


def _echo(sock):
    while data := sock.recv(65536):
        sock.sendall(data)


def _ask(sock, line=QUESTION):
    sock.sendall(line + b"\r\n")
    return read_line(sock)


def _works(tunnel):
    with tunnel.connect() as sock:
        expect(_ask(sock) == QUESTION, "no echo through the tunnel")


def _records(octets, what):
    """The types of the TLS records in which all octets lie."""
    types, at = [], 0
    while at < len(octets):
        expect(octets[at] in (20, 21, 22, 23) and octets[at + 1] == 3, f"{what}: no TLS record at octet {at}")
        types.append(octets[at])
        at += 5 + int.from_bytes(octets[at + 3:at + 5], "big")
    expect(at == len(octets), f"{what}: the last TLS record is not whole")
    return types


@case("tunnel", "tunnel/what-each-wire-shows")
def only_its_own_layer(kit):
    def serve(sock):
        questions.append(read_line(sock, "the client"))
        sock.sendall(ANSWER + b"\r\n")
        wait_closed(sock, "the client")
    questions = []
    tunnel = Tunnel(kit, Listener(kit, serve).port, wires=True)
    with tunnel.connect() as sock:
        expect(_ask(sock) == ANSWER, "no answer through the tunnel")
    expect(questions == [QUESTION], f"the service was asked {questions}")
    for stage in ("entry", "hop1", "hop2"):
        tunnel.stages[stage].wait_line("lost: clean$")
    outer, inner, plain = (tunnel.wires[stage] for stage in ("entry", "hop1", "hop2"))
    for wire, what in ((outer, "entry to hop1"), (inner, "hop1 to hop2")):
        for octets in (wire.onward, wire.back):
            types = _records(octets, what)
            expect(22 in types and 23 in types, f"{what}: neither handshake nor data in {types}")
            for text in (QUESTION, ANSWER):
                expect(text not in octets, f"{what}: {text!r} is there in the clear")
    # The names that are asked for in the clear are those of the layer that ends next, and no deeper one's.
    expect(b"layer1.example" in outer.onward and b"layer2.example" not in outer.onward, "entry to hop1 is not A")
    expect(b"layer2.example" in inner.onward and b"layer1.example" not in inner.onward, "hop1 to hop2 is not B")
    expect(plain.onward == QUESTION + b"\r\n" and plain.back == ANSWER + b"\r\n", "hop2 to the service is not plain")
    tunnel.ends_well()


def wrong_certificate(kit, hop, why):
    """The client is reset, the reason says what is wrong and at which hop, and nothing gets behind that hop."""
    service = Listener(kit, _echo)
    tunnel = Tunnel(kit, service.port, wires=True, **{hop: why[0]})
    with tunnel.connect() as sock:
        sock.sendall(QUESTION)
        expect(wait_closed(sock, "the entry") == b"", "an answer")
    lost = tunnel.entry.wait_line("lost: .*").group(0)
    expect(lost.startswith("lost: unclean: ") and why[1] in lost, f"the entry says {lost!r}")
    tunnel.entry.wait_line(rf".*no TLS with {hop}$")
    tunnel.stages[hop].wait_line("lost: unclean: ")
    expect(tunnel.wires[hop].accepted == 0, f"{hop} connected onward")
    expect(service.accepted == 0, "the service was reached")
    for wire in tunnel.wires.values():
        expect(QUESTION not in wire.onward, "the client's octets were sent")
    tunnel.ends_well()


for hop_name in ("hop1", "hop2"):
    for mistake in (("layer3", "self-signed"), ("wrong_host", ""), ("expired", "")):
        add_case("tunnel", f"tunnel/wrong-certificate/{hop_name}/{mistake[0]}", wrong_certificate, hop_name, mistake)


@case("tunnel", "tunnel/volume")
def much_both_ways(kit):
    tunnel = Tunnel(kit, Listener(kit, _echo).port)
    data = random.Random(SEED).randbytes(VOLUME)
    with tunnel.connect() as sock:
        sender = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
        sender.start()
        got = bytearray()
        while len(got) < len(data):
            piece = sock.recv(1 << 16)
            expect(piece, f"the connection ended after {len(got)} octets")
            got += piece
        sender.join(10)
    expect(bytes(got) == data, f"the octets that came back differ (seed {SEED})")
    for server in tunnel.stages.values():
        server.wait_line("lost: clean$")
    tunnel.ends_well()


def _memory(server):
    """Resident, in octets."""
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))


class Source:
    """Sends until it is told to stop, or so much that nobody's buffers hold it; then a FIN."""

    LIMIT = 256 << 20
    CHUNK = random.Random(SEED).randbytes(1 << 20)

    def __init__(self):
        self.sent, self.stop, self.digest = 0, False, hashlib.sha256()

    def send(self, sock):
        sock.settimeout(60)
        while not self.stop and self.sent < self.LIMIT:
            piece = self.CHUNK[:sock.send(self.CHUNK)]
            self.digest.update(piece)
            self.sent += len(piece)
        sock.shutdown(socket.SHUT_WR)

    def wait_stuck(self):
        """Until nothing is taken any more."""
        before, since = -1, time.monotonic()
        while time.monotonic() - since < 0.5:
            if self.sent != before:
                before, since = self.sent, time.monotonic()
            expect(self.sent < self.LIMIT, f"{self.sent} octets were taken for a reader that does not read")
            time.sleep(0.05)


def _drain(sock):
    digest = hashlib.sha256()
    sock.settimeout(30)
    while piece := sock.recv(1 << 18):
        digest.update(piece)
    return digest.hexdigest()


def slow_reader(kit, downward):
    """A reader that does not read stops the sender at the far end of the tunnel; what waits is in bounds, and whole."""
    def serve(sock):
        if downward:
            source.send(sock)
            wait_closed(sock, "the client", 30)
        else:
            reading.wait(30)
            results.append(_drain(sock))
    source, reading, results = Source(), threading.Event(), []
    tunnel = Tunnel(kit, Listener(kit, serve).port)
    with tunnel.connect() as sock:
        sender = None
        if not downward:
            sender = threading.Thread(target=source.send, args=(sock,), daemon=True)
            sender.start()
        before = {name: _memory(server) for name, server in tunnel.stages.items()}
        wait_until(lambda: source.sent > 0, "nothing was sent")
        source.wait_stuck()
        for name, server in tunnel.stages.items():
            grown = _memory(server) - before[name]
            expect(grown < 32 << 20, f"{name} has grown by {grown} octets")
        source.stop = True
        reading.set()
        if downward:
            results.append(_drain(sock))
        else:
            sender.join(30)
            wait_until(lambda: results, "the service did not read all", 30)
    expect(results == [source.digest.hexdigest()], f"what was sent and what was received differ (seed {SEED})")
    for server in tunnel.stages.values():
        server.wait_line("lost: clean$")
    tunnel.ends_well()


add_case("tunnel", "tunnel/slow-reader/client", slow_reader, True, alone=True)
add_case("tunnel", "tunnel/slow-reader/service", slow_reader, False, alone=True)


@case("tunnel", "tunnel/end/client-fin")
def client_ends(kit):
    """All that the client sent before its FIN gets to the service, and then the FIN."""
    def serve(sock):
        while piece := sock.recv(65536):
            got.extend(piece)
        ended.append(True)
    got, ended = bytearray(), []
    tunnel = Tunnel(kit, Listener(kit, serve).port)
    data = random.Random(SEED).randbytes(1 << 20)
    with tunnel.connect() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: ended, "the FIN did not come")
        expect(wait_closed(sock, "the entry") == b"", "an answer")
    expect(bytes(got) == data, f"{len(got)} octets of {len(data)}")
    tunnel.hop2.wait_line("lost: clean$")
    tunnel.ends_well()


@case("tunnel", "tunnel/end/half-closed")
def answer_behind_the_end(kit):
    """A client that has said all, and waits for the answer: a service that answers when it knows the end."""
    def serve(sock):
        asked = bytearray()
        while data := sock.recv(65536):
            asked += data
        sock.sendall(bytes(reversed(asked)) * 100)

    tunnel = Tunnel(kit, Listener(kit, serve).port)
    with tunnel.connect() as sock:
        sock.sendall(QUESTION)
        sock.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while data := sock.recv(65536):
            answer += data
    expect(bytes(answer) == bytes(reversed(QUESTION)) * 100, f"{len(answer)} octets came back")
    for server in tunnel.stages.values():
        server.wait_line("lost: clean$")
    tunnel.ends_well()


@case("tunnel", "tunnel/end/service-fin")
def service_ends(kit):
    data = random.Random(SEED).randbytes(1 << 20)
    tunnel = Tunnel(kit, Listener(kit, lambda sock: (read_line(sock), sock.sendall(data))).port)
    with tunnel.connect() as sock:
        sock.sendall(QUESTION + b"\r\n")
        got = bytearray()
        while piece := sock.recv(65536):
            got += piece
    expect(bytes(got) == data, f"{len(got)} octets of {len(data)}")
    for server in tunnel.stages.values():
        server.wait_line("lost: clean$")
    tunnel.ends_well()


def _is_reset(sock):
    """Whether the peer ended the connection by RST."""
    sock.settimeout(10)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def reset_is_carried(kit, by_client):
    """A stream that was cut never looks like a whole one at the other side."""
    def serve(sock):
        read_line(sock)
        sock.sendall(ANSWER + b"\r\n")
        asked.wait(10)
        if by_client:
            results.append(_is_reset(sock))
        else:
            reset(sock)
    asked, results = threading.Event(), []
    tunnel = Tunnel(kit, Listener(kit, serve).port)
    sock = tunnel.connect()
    expect(_ask(sock) == ANSWER, "no answer")
    asked.set()
    if by_client:
        reset(sock)
        wait_until(lambda: results, "the service's connection did not end")
    else:
        results.append(_is_reset(sock))
    expect(results == [True], "the other side saw a FIN")
    for server in tunnel.stages.values():
        server.wait_line("lost: unclean: .")
    tunnel.ends_well()


add_case("tunnel", "tunnel/end/client-rst", reset_is_carried, True)
add_case("tunnel", "tunnel/end/service-rst", reset_is_carried, False)


def killed(kit, stage):
    """Each connection through the killed process ends at both sides; its neighbours serve on when it is back."""
    def serve(sock):
        try:
            _echo(sock)
        finally:
            ended.append(True)
    ended = []
    tunnel = Tunnel(kit, Listener(kit, serve).port)
    with tunnel.connect() as sock, tunnel.connect() as other:
        expect(_ask(sock) == QUESTION and _ask(other) == QUESTION, "no echo")
        victim = tunnel.stages[stage]
        port = victim.port
        victim.destroy()
        for end in (sock, other):
            wait_closed(end, "the client")
        wait_until(lambda: len(ended) == 2, "the service's connections did not end")
    for name, server in tunnel.stages.items():
        if name != stage:
            server.wait_line("lost: ", count=2)
    if stage != "hop2":
        tunnel.hop2.wait_line("lost: unclean: .", count=2)
    if stage != "entry":
        tunnel.entry.wait_line("lost: unclean: .", count=2)
        with contextlib.suppress(ConnectionResetError), tunnel.connect() as sock:  # a reset may overtake the connect
            expect(wait_closed(sock, "the entry") == b"", "an answer")
    tunnel.start(stage, port)
    _works(tunnel)
    tunnel.ends_well()


for stage_name in ("entry", "hop1", "hop2"):
    add_case("tunnel", f"tunnel/killed/{stage_name}", killed, stage_name)


@case("tunnel", "tunnel/service-refuses")
def nobody_there(kit):
    listener = Listener(kit, _echo)
    listener.close()
    tunnel = Tunnel(kit, listener.port)
    with tunnel.connect() as sock:
        expect(wait_closed(sock, "the entry") == b"", "an answer")
    tunnel.hop2.wait_line("lost: unclean: Connection was refused")
    tunnel.entry.wait_line("lost: unclean: .")
    tunnel.ends_well()


@case("tunnel", "tunnel/silent-next")
def onward_never_comes_up(kit):
    """While the handshakes onward are not done, a client that sends without end is not read."""
    silent = Listener(kit, lambda sock: wait_closed(sock, "the entry", 30))
    entry = _stage(kit, "entry", silent.port, "--ca", kit.certs.ca)
    source = Source()
    with connect(entry.port) as sock:
        before = _memory(entry)
        threading.Thread(target=_until_reset, args=(source, sock), daemon=True).start()
        wait_until(lambda: source.sent > 0, "nothing was sent")
        source.wait_stuck()
        grown = _memory(entry) - before
        expect(grown < 16 << 20, f"the entry has grown by {grown} octets")
        source.stop = True
        entry.ends_well()


def _until_reset(source, sock):
    try:
        source.send(sock)
    except OSError:
        pass


@case("tunnel", "tunnel/by-hand")
def another_entry(kit):
    """The standard library's TLS in TLS finds both hops well; and the last hop alone is a TLS server like any other."""
    tunnel = Tunnel(kit, Listener(kit, _echo).port)
    layers = [(client_context(getattr(kit.certs, f"layer{n}_public")), f"layer{n}.example") for n in (1, 2)]
    for port, wanted in ((tunnel.hop1.port, layers), (tunnel.hop2.port, layers[1:])):
        end = Layered.to(port)
        for context, hostname in wanted:
            end.push(context, hostname)
        expect(end.ask(QUESTION) == QUESTION, "no echo")
        end.close()
    tunnel.hop2.wait_line("lost: ", count=2)
    _works(tunnel)
    tunnel.ends_well()


@case("tunnel", "tunnel/many")
def many_at_once(kit):
    tunnel = Tunnel(kit, Listener(kit, _echo).port)
    socks = [tunnel.connect() for _ in range(12)]
    for n, sock in enumerate(socks):
        sock.sendall(b"line %d\r\n" % n)
    for n, sock in enumerate(socks):
        expect(read_line(sock) == b"line %d" % n, "somebody else's line")
    for server in tunnel.stages.values():  # with all of them open
        server.ends_well()
    for sock in socks:
        wait_closed(sock, "the entry")
        sock.close()


def misuse(kit, wanted, *arguments):
    complains(kit.start("tls_tunnel", *arguments), *wanted)


add_case("tunnel", "tunnel/misuse/no-stage", misuse, ["stage"])
add_case("tunnel", "tunnel/misuse/unknown-stage", misuse, ["hop3"], "hop3")
add_case("tunnel", "tunnel/misuse/stage-not-first", misuse, ["stage", "first"], "--port", 0, "hop1")
add_case("tunnel", "tunnel/misuse/unknown-flag", misuse, ["--colour"], "hop1", "--colour")
add_case("tunnel", "tunnel/misuse/bad-endpoint", misuse, ["nonsense"], "hop1", "--to", "nonsense:localhost:1")
add_case("tunnel", "tunnel/misuse/bad-timeout", misuse, ["timeout"], "hop1", "--to", "tcp:localhost:1:timeout=x")


@case("tunnel", "tunnel/misuse/port-in-use")
def port_is_taken(kit):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        complains(kit.start("tls_tunnel", "hop1", "--port", port, "--cert", kit.certs.layer1), port, "in use")


@case("tunnel", "tunnel/misuse/files")
def files_that_are_not_there(kit):
    path = kit.scratch / "nowhere.pem"
    complains(kit.start("tls_tunnel", "hop1", "--port", 0, "--cert", path), path, "No such file")
    complains(kit.start("tls_tunnel", "entry", "--port", 0, "--ca", kit.certs.ca, "--ca", path), path, "No such file")
