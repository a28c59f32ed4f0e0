"""Sockets by hand: connections that misbehave on purpose, and relays that look or interfere."""

import contextlib
import socket
import struct
import threading
import time

from .programs import Failed


def connect(port, timeout=10, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer is not None:  # it takes effect only ahead of the connection
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(timeout)
    try:
        sock.connect(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def reset(sock):
    """Ends a connection with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def free_port():
    """A port that was free a moment ago, for peers that cannot pick one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {timeout} s")
        time.sleep(0.02)


def wait_closed(sock, what, timeout=10):
    """Reads until the peer ends the connection by FIN or RST; returns what came before."""
    sock.settimeout(timeout)
    got = b""
    try:
        while piece := sock.recv(65536):
            got += piece
    except socket.timeout:
        raise Failed(f"{what}: the connection was still open after {timeout} s") from None
    except OSError:
        pass
    return got


def read_line(sock, what="the peer", timeout=10):
    """Reads octet by octet, so that nothing behind the line is taken."""
    sock.settimeout(timeout)
    line = b""
    try:
        while not line.endswith(b"\r\n"):
            octet = sock.recv(1)
            if not octet:
                raise Failed(f"{what} ended the connection after {line!r}")
            line += octet
    except socket.timeout:
        raise Failed(f"{what} sent no whole line within {timeout} s, only {line!r}") from None
    return line[:-2]


class Listener:
    """Accepts connections on a free port and runs handler(sock) for each in a thread."""

    def __init__(self, kit, handler, receive_buffer=None):
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        if receive_buffer is not None:  # accepted connections take it over
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port = self._socket.getsockname()[1]
        self.accepted = 0
        self.errors = []
        self._handler = handler
        self._open = set()
        kit.at_end(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            sock.settimeout(15)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(sock)
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            self._handler(sock)
        except (OSError, Failed) as error:
            self.errors.append(str(error))
        finally:
            sock.close()

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def pump(one, other, seen=None, carry=None):
    """Carries octets both ways until both directions have ended; seen(data) gets a copy of each piece.

    carry(source, target), if given, is what carries one direction up to its end.
    """
    def copy(source, target):
        while data := source.recv(65536):
            if seen is not None:
                seen(data)
            target.sendall(data)

    def run(source, target):
        try:
            (carry or copy)(source, target)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
    back = threading.Thread(target=run, args=(other, one), daemon=True)
    back.start()
    run(one, other)
    back.join(20)


class Relay(Listener):
    """Stands between a client and a server and keeps every octet that passes."""

    def __init__(self, kit, server_port):
        self.captured = bytearray()
        self._server_port = server_port
        super().__init__(kit, self._relay)

    def _relay(self, sock):
        with connect(self._server_port, 15) as upstream:
            pump(sock, upstream, self.captured.extend)


class StartTLSFront(Listener):
    """Gives TLS tools without STARTTLS that skill: does the plain lines itself, then only carries octets.

    towards_server: tools connect to it, and it asks the real server for TLS with `request`.
    Otherwise our client connects to it; each plain line is answered by answer(line), until `request` has come.
    """

    def __init__(self, kit, target_port, request=b"STARTTLS", towards_server=True):
        self._target_port, self._request = target_port, request
        self.plain_lines = []
        super().__init__(kit, self._towards_server if towards_server else self._towards_tool)

    def _towards_server(self, sock):
        with connect(self._target_port, 15) as upstream:
            upstream.sendall(self._request + b"\r\n")
            if (line := read_line(upstream, "the server")) != b"READY":
                raise Failed(f"{line!r} instead of READY")
            pump(sock, upstream)

    def _towards_tool(self, sock):
        while not self.plain_lines or self.plain_lines[-1] != self._request:
            self.plain_lines.append(read_line(sock, "the client"))
        sock.sendall(b"READY\r\n")
        with connect(self._target_port, 15) as upstream:
            pump(sock, upstream)


def wait_listening(port, what, timeout=10):
    """Waits until somebody listens on the port, without connecting to it: some peers serve only one connection."""
    wanted = f":{port:04X}"

    def listens():
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            try:
                with open(table, encoding="ascii") as file:
                    rows = [line.split() for line in file][1:]
            except OSError:
                continue
            if any(row[1].endswith(wanted) and row[3] == "0A" for row in rows):
                return True
        return False
    wait_until(listens, f"{what} does not listen on port {port}", timeout)
