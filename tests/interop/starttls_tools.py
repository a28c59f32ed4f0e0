"""TLS tools on connections that began as plain text, and in the first layer of an onion."""

import signal

from harness.cases import add_case
from harness.programs import expect
from harness.sockets import StartTLSFront

from examples.steps import TRUST, expect_ok, expect_states, onion_server_flags, start_client

from . import tools

VERSIONS = ("1.2", "1.3")


def gnutls_upgrades(kit, version):
    """gnutls-cli knows how to start with plain text: it turns to TLS on SIGALRM."""
    server = kit.serve("starttls_server", "--cert", kit.certs.server)
    client = tools.gnutls_client(kit, server.port, version, more=["--starttls", "--crlf"])
    client.send(b"plain text\n")  # it takes one line at a time from its input
    server.wait_line("received: plain text$")
    client.send(b"STARTTLS\n")
    client.wait_line("READY")
    client.process.send_signal(signal.SIGALRM)
    client.wait_line("- Options:")  # the last that it says of the handshake
    client.send(b"secure text\n")
    server.wait_line("received: secure text$")
    tools.finish(client)
    server.wait_line("lost: clean$")
    server.ends_well()


def through_front(kit, make_client, version):
    server = kit.serve("starttls_server", "--cert", kit.certs.server)
    front = StartTLSFront(kit, server.port)
    client = make_client(kit, front.port, version)
    client.send(b"secure text\r\n")
    server.wait_line("received: secure text$")
    tools.finish(client)
    server.wait_line("lost: clean$")
    expect(not front.errors, f"the front says {front.errors}")
    server.ends_well()


def our_client(kit, make_server, version):
    _, port = make_server(kit, version)
    front = StartTLSFront(kit, port, towards_server=False)
    expect_ok(start_client(kit, "starttls_client", front.port, *TRUST["tls"](kit.certs)[1]))
    expect(front.plain_lines == [b"plain text", b"STARTTLS"], f"the client's plain lines are {front.plain_lines}")


def onion_layer(kit, make_client, version, way):
    """A tool as the client of layer 1: echo, then POP, BYE and the server's close_notify, which ends the tool."""
    flags = onion_server_flags(kit.certs)
    server = kit.serve("onion_server", "--cert", kit.certs.server, *flags[2:])
    front = StartTLSFront(kit, server.port, request=b"PUSH")
    client = make_client(kit, front.port, version)
    tools.talk(client, ["up 1 0"])
    client.send(b"POP\r\n")
    client.wait_line("BYE")
    client.wait(15)
    server.wait_line("lost: ")
    expect_states(server, way)
    server.ends_well()


for version in VERSIONS:
    add_case("tools", f"starttls_server/gnutls/{version}", gnutls_upgrades, version)
    add_case("tools", f"starttls_server/openssl/{version}", through_front, tools.openssl_client, version)
    add_case("tools", f"starttls_server/socat/{version}", through_front, tools.socat_client, version)
    add_case("tools", f"starttls_client/openssl/{version}", our_client, tools.openssl_server, version)
    add_case("tools", f"starttls_client/gnutls/{version}", our_client, tools.gnutls_server, version)
    add_case("tools", f"starttls_client/socat/{version}", our_client, tools.socat_server, version)
    add_case("tools", f"onion_server/openssl/{version}", onion_layer, tools.openssl_client, version, [0, 1, 0])
    # gnutls-cli answers a close_notify with the end of the connection, which is no pop.
    add_case("tools", f"onion_server/gnutls/{version}", onion_layer, tools.gnutls_client, version, [0, 1])
