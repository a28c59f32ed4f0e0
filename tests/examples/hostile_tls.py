"""Peers that misbehave in or around a handshake."""

import ssl
import time

from harness.cases import add_case
from harness.layers import Layered, client_context, server_context
from harness.programs import Failed, expect
from harness.sockets import Listener, connect, read_line, reset, wait_closed

from .steps import TLS_SERVERS, expect_bad, good_client, losses, onion_client_flags, start_client, surviving

# How to reach the start of a handshake on each server.
DOORS = {**{name: b"" for name in TLS_SERVERS}, "starttls_server": b"STARTTLS", "onion_server": b"PUSH"}

GARBAGE = {
    "text": b"this is no handshake\r\n" * 10,
    "zeros": bytes(300),
    "http": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "huge-record": b"\x16\x03\x01\xff\xff" + b"\x00" * 300,
    "application-data": b"\x17\x03\x03\x00\x10" + b"\x00" * 16,
}


def _at_the_door(server, name):
    sock = connect(server.port)
    if DOORS[name]:
        sock.sendall(DOORS[name] + b"\r\n")
        expect(read_line(sock) == b"READY", "no READY")
    return sock


def _client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client_context().wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise Failed("a handshake alone")


def garbage(kit, name, kind):
    with surviving(kit, name) as server:
        sock = _at_the_door(server, name)
        sock.sendall(GARBAGE[kind])
        wait_closed(sock, "garbage")
        losses(server, 1, "lost: unclean: .")


def breaks_off(kit, name, octets, ending):
    """The connection ends after so many octets of the ClientHello."""
    with surviving(kit, name) as server:
        sock = _at_the_door(server, name)
        sock.sendall(_client_hello()[:octets])
        ending(sock)
        losses(server, 1, "lost: unclean: .")


def fin(sock):
    sock.close()


def silent(kit, name):
    """A peer that says nothing in the handshake keeps nobody else from being served."""
    with surviving(kit, name) as server:
        quiet = [_at_the_door(server, name) for _ in range(5)]
        good_client(kit, server, name)
        for sock in quiet:
            sock.close()
        losses(server, 6, "lost: ")


for server_name in DOORS:
    for sort in GARBAGE:
        add_case("hostile", f"garbage/{server_name}/{sort}", garbage, server_name, sort)
    add_case("hostile", f"rst-in-handshake/{server_name}", breaks_off, server_name, 100, reset)
    add_case("hostile", f"rst-after-hello/{server_name}", breaks_off, server_name, None, reset)
    add_case("hostile", f"fin-in-handshake/{server_name}", breaks_off, server_name, 100, fin)
    add_case("hostile", f"silent-in-handshake/{server_name}", silent, server_name)


def plaintext_behind(kit, name, request):
    """A line behind the request for TLS is never taken for one that came in TLS, wherever the octets are split."""
    data = request + b"\r\ninjected line\r\n"
    with surviving(kit, name) as server:
        for cut in range(len(data) + 1):
            sock = connect(server.port)
            if cut:
                sock.sendall(data[:cut])
                time.sleep(0.005)  # so that the parts make segments of their own, mostly; either way must hold
            sock.sendall(data[cut:])
            try:
                sock.sendall(_client_hello())
            except OSError:
                pass  # it has closed already
            wait_closed(sock, f"plaintext behind {request!r}, split at {cut}")
            sock.close()
        losses(server, len(data) + 1, "lost: unclean: .")
        expect("injected" not in server.text("out"), "the server took the plain line")


def full_handshake_behind(kit, name, request):
    """The classic: request and plain line in one segment, then a perfect handshake. No TLS session may come of it."""
    with surviving(kit, name) as server:
        end = Layered.to(server.port)
        end.send(request + b"\r\ninjected line\r\n")
        try:
            expect(end.read_line() == b"READY", "no READY")
            end.push(client_context())
            end.send_line(b"wanted line")
            end.ended_cleanly()
        except (OSError, ssl.SSLError, Failed):
            pass
        end.close()
        losses(server, 1, "lost: unclean: .")
        expect("injected" not in server.text("out"), "the server took the plain line")
        expect("wanted" not in server.text("out"), "the session came up behind a plain line")


for server_name, wish in (("starttls_server", b"STARTTLS"), ("onion_server", b"PUSH")):
    add_case("hostile", f"plaintext-behind/{server_name}/every-split", plaintext_behind, server_name, wish)
    add_case("hostile", f"plaintext-behind/{server_name}/then-handshake", full_handshake_behind, server_name, wish)


def _injecting_server(kit, certificate, requests):
    """READY with a plain line behind it, then an honest handshake."""
    def serve(sock):
        line = b""
        while line not in requests:
            line = read_line(sock, "the client")
            if line not in requests and line.startswith(b"up"):
                sock.sendall(line + b"\r\n")
        sock.sendall(b"READY\r\ninjected line\r\n")
        end = Layered(sock)
        end.push(server_context(certificate), server_side=True)
        end.ended_cleanly()
    return Listener(kit, serve)


def client_injected(kit, name, flags):
    """The same towards a client: it must not take the plain line for one that came in TLS."""
    listener = _injecting_server(kit, kit.certs.layer1, (b"STARTTLS", b"PUSH"))
    client = start_client(kit, name, listener.port, *flags(kit.certs), timeout=3)
    expect_bad(client)
    expect("injected" not in client.text("out"), "the client took the plain line")


add_case("hostile", "plaintext-behind/starttls_client", client_injected, "starttls_client",
         lambda certs: ["--hostname", "layer1.example", "--ca", certs.layer1_public])
add_case("hostile", "plaintext-behind/onion_client", client_injected, "onion_client",
         lambda certs: onion_client_flags(certs, 1, 1))


def garbage_for_client(kit, name, flags):
    listener = Listener(kit, lambda sock: (sock.sendall(GARBAGE["text"]), wait_closed(sock, "the client")))
    expect_bad(start_client(kit, name, listener.port, *flags, timeout=20), timeout=8)


for client_name in ("echoclient_ssl", "tls_alpn_client", "check_server_certificate"):
    add_case("hostile", f"garbage/{client_name}",
             lambda kit, name=client_name: garbage_for_client(
                 kit, name, ["--hostname", "example.com", "--ca", kit.certs.ca]))
