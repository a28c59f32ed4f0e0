"""Application protocols: the server's order decides; none in common; only one side has any."""

from harness.cases import add_case
from harness.programs import expect

from examples.steps import TRUST, expect_bad, expect_ok, start_client

from . import every_peer
from .every_peer import CLIENTS, SERVERS, VERSIONS

OFFER = ("h2", "http/1.1")


def _serve(kit, protocols):
    return kit.serve("tls_alpn_server", "--cert", kit.certs.server, "--protocols", protocols)


def _expect_agreed(client, peer, protocol):
    """What the client believes; s_client and curl do not tell when they are quiet."""
    told = {"gnutls": f"- Application protocol: {protocol}", "twisted": f"negotiated: {protocol}"}.get(peer)
    if told is None:
        return
    if peer == "gnutls" and protocol == "none":
        expect(not client.matching("- Application protocol"), "gnutls-cli believes in a protocol")
    else:
        client.wait_line(told + "$")


def our_order(kit, peer, version):
    """The client prefers h2, our server http/1.1."""
    server = _serve(kit, "http/1.1,h2")
    client = every_peer.client(kit, peer, server.port, version, protocols=OFFER)
    client.send(b"first octets\r\n")
    server.wait_line("negotiated: http/1.1$")
    client.wait_line("GET / HTTP/1.1" if peer == "curl" else "first octets")
    _expect_agreed(client, peer, "http/1.1")
    client.wait(15)
    server.ends_well()


NO_PROTOCOL = {"gnutls": "Received alert [120]: No supported application protocol could be negotiated",
               None: "alert no application protocol"}


def none_in_common_with_ours(kit, peer, version):
    """Our server ends the handshake with the alert of RFC 7301, where Twisted's goes on without a protocol."""
    server = _serve(kit, "spdy/1")
    client = every_peer.client(kit, peer, server.port, version, protocols=OFFER)
    client.send(b"never to be said\r\n")
    expect(client.wait(15) != 0, f"{client.name} is content")
    expect(NO_PROTOCOL.get(peer, NO_PROTOCOL[None]) in client.text(), f"{client.name} was not told why")
    server.wait_line("lost: unclean: The peer offers none of the application protocols that we speak")
    server.ends_well()


def only_ours(kit, peer, version):
    server = _serve(kit, "h2,http/1.1")
    client = every_peer.client(kit, peer, server.port, version)
    client.send(b"first octets\r\n")
    server.wait_line("negotiated: none$")
    client.wait_line("GET / HTTP/1.1" if peer == "curl" else "first octets")
    _expect_agreed(client, peer, "none")
    client.wait(15)
    server.ends_well()


def only_their_clients(kit, peer, version):
    """A server that knows nothing of ALPN overlooks the offer."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    client = every_peer.client(kit, peer, server.port, version, protocols=OFFER)
    client.send(b"one line\r\n")
    client.wait_line("GET / HTTP/1.1" if peer == "curl" else "one line")
    _expect_agreed(client, peer, "none")
    client.close_input()
    if peer != "curl":  # which would wait for more
        server.wait_line("lost: clean$")
        client.wait(15)
    server.ends_well()


def _ask(kit, port):
    return start_client(kit, "tls_alpn_client", port, *TRUST["tls"](kit.certs)[1], "--protocols", ",".join(OFFER))


def their_order(kit, peer, version):
    """Our client prefers h2, the server http/1.1. gnutls-serv has no preference: it goes by the client's order."""
    _, port = every_peer.server(kit, peer, version, protocols=("http/1.1", "h2"))
    client = _ask(kit, port)
    expect_ok(client)
    agreed = "h2" if peer == "gnutls" else "http/1.1"
    expect(client.matching("negotiated: ") == [f"negotiated: {agreed}"], f"{client.matching('negotiated')}")


def none_in_common_with_theirs(kit, peer, version, more, said):
    _, port = every_peer.server(kit, peer, version, protocols=("spdy/1",), more=more)
    client = _ask(kit, port)
    expect_bad(client, containing=said)
    expect(client.matching("negotiated: ") in ([], ["negotiated: none"]), f"{client.matching('negotiated')}")


def only_our_client(kit, peer, version):
    _, port = every_peer.server(kit, peer, version)
    client = _ask(kit, port)
    expect_bad(client, containing="no protocol was agreed on")
    expect(client.matching("negotiated: ") == ["negotiated: none"], f"{client.matching('negotiated')}")


def only_theirs(kit, peer, version):
    _, port = every_peer.server(kit, peer, version, protocols=OFFER)
    expect_ok(start_client(kit, "echoclient_ssl", port, *TRUST["tls"](kit.certs)[1]))


def _alert(name):
    return f"The peer ended TLS with the alert {name}: "


# gnutls-serv goes on without a protocol unless told otherwise. pyOpenSSL, below Twisted, makes a fault of it.
NOTHING_IN_COMMON = [("openssl", "", [], _alert("no_application_protocol")),
                     ("gnutls", "", [], "no protocol was agreed on"),
                     ("gnutls", "/alpn-fatal", ["--alpn-fatal"], _alert("no_application_protocol")),
                     ("twisted", "", [], _alert("internal_error"))]

for version in VERSIONS:
    for peer in CLIENTS:
        add_case("alpn", f"server/{peer}/{version}/alpn-order", our_order, peer, version)
        add_case("alpn", f"server/{peer}/{version}/alpn-none-in-common", none_in_common_with_ours, peer, version)
        add_case("alpn", f"server/{peer}/{version}/alpn-not-offered", only_ours, peer, version)
        add_case("alpn", f"server/{peer}/{version}/alpn-overlooked", only_their_clients, peer, version)
    for peer in SERVERS:
        add_case("alpn", f"client/{peer}/{version}/alpn-order", their_order, peer, version)
        add_case("alpn", f"client/{peer}/{version}/alpn-not-offered", only_theirs, peer, version)
        add_case("alpn", f"client/{peer}/{version}/alpn-overlooked", only_our_client, peer, version)
    for peer, ending, more, said in NOTHING_IN_COMMON:
        add_case("alpn", f"client/{peer}/{version}/alpn-none-in-common{ending}", none_in_common_with_theirs, peer,
                 version, more, said)
