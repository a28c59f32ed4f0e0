"""More octets than any buffer holds, readers that are slow, and echoes that are wrong."""

import random
import socket
import ssl
import threading
import time

from harness.cases import add_case
from harness.layers import Layered, server_context
from harness.programs import expect
from harness.sockets import Listener, connect, read_line, wait_closed

from .steps import TRUST, expect_bad, start_client, start_server

SEED = 20240229
OCTETS = 4 << 20


def _stuff(octets):
    return random.Random(SEED).randbytes(octets)


def _send_then_fin(sock, data):
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the reader will notice what is missing


def echo_until_fin(kit, name, data, slow_start):
    """All that was sent before our FIN comes back, even if we begin to read late."""
    server = start_server(kit, name)
    sock = connect(server.port)
    sender = threading.Thread(target=_send_then_fin, args=(sock, data), daemon=True)
    sender.start()
    time.sleep(slow_start)  # the server's buffers and ours fill up meanwhile
    got = bytearray()
    while piece := sock.recv(1 << 16):
        got += piece
    sender.join(10)
    expect(len(got) == len(data), f"{len(got)} of {len(data)} octets came back")
    expect(bytes(got) == data, f"the octets that came back differ (seed {SEED})")
    server.wait_line("lost: clean$")
    server.ends_well()


def many_lines():
    source = random.Random(SEED)
    return b"".join(b"%0*d\r\n" % (source.randrange(1, 2000), number) for number in range(2000))


add_case("pairs", "volume/echoserv", lambda kit: echo_until_fin(kit, "echoserv", _stuff(OCTETS), 0))
add_case("pairs", "volume/echoserv/slow-reader", lambda kit: echo_until_fin(kit, "echoserv", _stuff(OCTETS), 1))
add_case("pairs", "volume/line_echo_server", lambda kit: echo_until_fin(kit, "line_echo_server", many_lines(), 0))


def tls_volume(kit, version):
    """Many records there and back, in pieces of every size."""
    server = start_server(kit, "echoserv_ssl")
    context = ssl.create_default_context(cafile=kit.certs.ca)
    context.minimum_version = context.maximum_version = version
    source = random.Random(SEED)
    data = _stuff(OCTETS)
    with context.wrap_socket(connect(server.port), server_hostname="example.com") as sock:
        at = 0
        while at < len(data):
            piece = data[at:at + source.randrange(1, 70000)]
            sock.sendall(piece)
            got = bytearray()
            while len(got) < len(piece):
                more = sock.recv(len(piece) - len(got))
                expect(more, "the session ended")
                got += more
            expect(bytes(got) == piece, f"the octets behind number {at} differ (seed {SEED})")
            at += len(piece)
        sock.unwrap()
    server.wait_line("lost: clean$")
    server.ends_well()


add_case("pairs", "volume/echoserv_ssl/1.2", tls_volume, ssl.TLSVersion.TLSv1_2)
add_case("pairs", "volume/echoserv_ssl/1.3", tls_volume, ssl.TLSVersion.TLSv1_3)


def wrong_echo(kit, name):
    """A later line comes back first; then the peer says no more."""
    def swap(sock):
        read_line(sock)
        sock.sendall(b"Bye-bye!\r\n")
        wait_closed(sock, "the client")
    expect_bad(start_client(kit, name, Listener(kit, swap).port), timeout=8)


for client_name in ("echoclient", "line_echo_client"):
    add_case("pairs", f"wrong-echo/{client_name}", wrong_echo, client_name)


def torn_off(kit):
    """STARTTLS comes up, but the server ends the connection without close_notify: BAD, data may be missing."""
    def serve(sock):
        while read_line(sock) != b"STARTTLS":
            pass
        sock.sendall(b"READY\r\n")
        end = Layered(sock)
        end.push(server_context(kit.certs.server), server_side=True)
        expect(end.read_line() == b"secure text", "no secure line")
    client = start_client(kit, "starttls_client", Listener(kit, serve).port, *TRUST["tls"](kit.certs)[1])
    expect_bad(client)
    expect(client.matching("lost: unclean: ."), f"the client says {client.matching('lost: ')}")


add_case("tls", "torn-off/starttls_client", torn_off)
