"""Peers that are slow, which must cost nothing but time, and dead ones, which must cost no more than a limit."""

import threading

from harness.cases import add_case
from harness.programs import expect
from harness.relays import RecordRelay, SlowRelay, is_close_notify
from harness.sockets import wait_until

from examples.steps import TRUST, expect_bad, expect_ok, no_backtrace, start_client

from . import every_peer, tools
from .every_peer import CLIENTS, SERVERS, VERSIONS

HANDSHAKE_LIMIT, CLOSE_LIMIT = 1000, 300  # milliseconds


# Handshakes and all that follows, octet by octet.

def dribbling_client(kit, peer, version):
    server = kit.serve("tls_alpn_server", "--cert", kit.certs.server)
    relay = SlowRelay(kit, server.port, ours_is_server=True, dribbles=True)
    client = every_peer.client(kit, peer, relay.port, version)
    client.send(b"first octets\r\n")
    client.wait_line("GET /" if peer == "curl" else "first octets")
    client.wait(15)
    server.wait_line("negotiated: none$")
    server.ends_well()


def dribbling_server(kit, peer, version):
    _, port = every_peer.server(kit, peer, version)
    relay = SlowRelay(kit, port, ours_is_server=False, dribbles=True)
    expect_ok(start_client(kit, "echoclient_ssl", relay.port, *TRUST["tls"](kit.certs)[1]))


# Megabytes for a peer that reads nothing of them at first, and then little by little.

LINES = [b"%04d" % number + b"." * 3990 for number in range(1000)]


def slow_client(kit, peer, version):
    """Four megabytes wait in our server until the last of them has been sent to it. gnutls-cli, which prints octet by
    octet, gets one.
    """
    lines = LINES[:250] if peer == "gnutls" else LINES
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    relay = SlowRelay(kit, server.port, ours_is_server=True, holds_after=20000)
    data = b"".join(line + b"\n" for line in lines)
    if peer == "curl":
        upload = kit.scratch / "upload"
        upload.write_bytes(data)
        client = every_peer.client(kit, peer, relay.port, version,
                                   more=["-H", "Expect:", "--data-binary", f"@{upload}", "--max-time", "30"])
    else:
        client = every_peer.client(kit, peer, relay.port, version)
        client.send(data)
    wait_until(lambda: relay.arrived >= len(data), f"{client.name} did not send everything", 30)
    relay.release()
    client.wait_line(lines[-1][:4].decode(), timeout=30)
    came = [line.encode() for line in client.matching(r"\d{4}\.", "out")]
    expect(came == lines, f"{len(came)} lines of {len(lines)} came back, or in another order")
    if peer != "curl":  # which waits for more
        tools.finish(client)
        server.wait_line("lost: clean$")
    server.ends_well()


def slow_server(kit, peer, version):
    """A megabyte that our client says at once, and more slowly than that gets rid of."""
    _, port = every_peer.server(kit, peer, version)
    relay = SlowRelay(kit, port, ours_is_server=False)
    client = start_client(kit, "echoclient_ssl", relay.port, *TRUST["tls"](kit.certs)[1], "--times", 20000)
    expect_ok(client, 40)
    expect(len(client.matching("received: ")) == 60000, "lines are missing")


# Peers that are stopped when a certain record is on its way to them.

class StopAt:
    """For RecordRelay: freezes the peer, which is set once it runs, ahead of the first record that `when` picks."""

    def __init__(self, when):
        self._when, self._peer, self._known, self.done = when, None, threading.Event(), False

    def set(self, peer):
        self._peer = peer
        self._known.set()

    def __call__(self, towards_server, record):
        if not self.done and self._when(towards_server, record):
            self._known.wait(10)
            self._peer.freeze()
            self.done = True


NO_HANDSHAKE = f"TLS handshake did not finish in time: the limit is {HANDSHAKE_LIMIT} ms"
NO_CLOSE = f"Peer did not answer close_notify in time: the limit is {CLOSE_LIMIT} ms"


def dead_client(kit, peer, version):
    """Its hello has come; our answer reaches nobody."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, "--handshake-timeout", HANDSHAKE_LIMIT)
    stop = StopAt(lambda towards_server, record: not towards_server)
    client = every_peer.client(kit, peer, RecordRelay(kit, server.port, stop).port, version)
    stop.set(client)
    server.wait_line(f"lost: unclean: {NO_HANDSHAKE}")
    wait_until(lambda: stop.done, f"{client.name} was not stopped")
    server.ends_well()
    no_backtrace(server)


def dead_server(kit, peer, version):
    """In TLS 1.2 its hello has come, and it is our second flight that reaches nobody; in 1.3 our hello, for there our
    handshake is done with the second flight."""
    server, port = every_peer.server(kit, peer, version)
    stop = StopAt(lambda towards_server, record: towards_server == (version == "1.3"))
    stop.set(server)
    client = start_client(kit, "echoclient_ssl", RecordRelay(kit, port, stop).port, *TRUST["tls"](kit.certs)[1],
                          "--handshake-timeout", HANDSHAKE_LIMIT)
    expect_bad(client, containing=NO_HANDSHAKE)
    wait_until(lambda: stop.done, f"{server.name} was not stopped")


def dead_client_at_close(kit, peer, version):
    """Our server closes first; the client is stopped before that reaches it."""
    server = kit.serve("tls_alpn_server", "--cert", kit.certs.server, "--close-timeout", CLOSE_LIMIT)
    stop = StopAt(lambda towards_server, record: not towards_server and is_close_notify(record))
    client = every_peer.client(kit, peer, RecordRelay(kit, server.port, stop).port, version)
    stop.set(client)
    client.send(b"first octets\r\n")
    server.wait_line(f"lost: unclean: {NO_CLOSE}")
    wait_until(lambda: stop.done, f"{client.name} was not stopped")
    server.ends_well()
    no_backtrace(server)


def dead_server_at_close(kit, peer, version):
    """Our client has had its answers, and closes; the server is stopped before that reaches it."""
    server, port = every_peer.server(kit, peer, version)
    stop = StopAt(lambda towards_server, record: towards_server and is_close_notify(record))
    stop.set(server)
    client = start_client(kit, "echoclient_ssl", RecordRelay(kit, port, stop).port, *TRUST["tls"](kit.certs)[1],
                          "--close-timeout", CLOSE_LIMIT)
    client.wait_line(f"lost: unclean: {NO_CLOSE}")
    client.wait_line("OK: all lines came back")
    expect(client.wait() == 0, "the client is not content, though it had its answers")
    wait_until(lambda: stop.done, f"{server.name} was not stopped")


for version in VERSIONS:
    for peer in CLIENTS:
        add_case("slow", f"server/{peer}/{version}/dribbles", dribbling_client, peer, version)
        add_case("slow", f"server/{peer}/{version}/reads-slowly", slow_client, peer, version)
        add_case("slow", f"server/{peer}/{version}/dead-in-handshake", dead_client, peer, version)
        add_case("slow", f"server/{peer}/{version}/dead-at-close", dead_client_at_close, peer, version)
    for peer in SERVERS:
        add_case("slow", f"client/{peer}/{version}/dribbles", dribbling_server, peer, version)
        add_case("slow", f"client/{peer}/{version}/reads-slowly", slow_server, peer, version)
        add_case("slow", f"client/{peer}/{version}/dead-in-handshake", dead_server, peer, version)
        add_case("slow", f"client/{peer}/{version}/dead-at-close", dead_server_at_close, peer, version)
