"""How peers answer our close; and connections that end without close_notify because a process was killed, which neither
side may take for a clean end.
"""

from harness.cases import add_case
from harness.programs import expect

from examples.steps import TRUST, expect_bad, no_backtrace, start_client

from . import every_peer
from .every_peer import CLIENTS, SERVERS, VERSIONS

TRUNCATED = "TLS connection ended without close_notify, data may be missing"


# gnutls-cli ends the connection when it hears our close_notify, and does not say its own.
UNANSWERED = {"gnutls": f"unclean: {TRUNCATED}"}


def our_server_closes(kit, peer, version):
    server = kit.serve("tls_alpn_server", "--cert", kit.certs.server)
    client = every_peer.client(kit, peer, server.port, version)
    client.send(b"first octets\r\n")
    client.wait_line("GET / HTTP/1.1" if peer == "curl" else "first octets")
    server.wait_line(f"lost: {UNANSWERED.get(peer, 'clean$')}")
    status = client.wait(15)
    expect(status == 0, f"{client.name} ended with status {status}")
    server.ends_well()


def _talking_client(kit, peer, version):
    """A session of our server in which the peer waits for more."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    client = every_peer.client(kit, peer, server.port, version)
    client.send(b"one line\r\n")
    client.wait_line("Accept: " if peer == "curl" else "one line")
    return server, client


def _waiting_client(kit, peer, version):
    """A session of our client, which waits for lines that the server, having read ours, does not send."""
    # A ticket that our client has not read when it is killed would make a RST of its FIN: s_server is silent then.
    more = ["-num_tickets", "0"] if peer == "openssl" else []
    server, port = every_peer.server(kit, peer, version, silent=True, more=more)
    client = start_client(kit, "echoclient_ssl", port, *TRUST["tls"](kit.certs)[1])
    server.wait_line({"gnutls": r"\*\*\* Processing", "twisted": "received: Bye-bye!", "openssl": "Bye-bye!"}[peer])
    return server, client


def their_client_is_killed(kit, peer, version):
    server, client = _talking_client(kit, peer, version)
    client.process.kill()
    server.wait_line(f"lost: unclean: {TRUNCATED}")
    server.ends_well()
    no_backtrace(server)


def their_server_is_killed(kit, peer, version):
    server, client = _waiting_client(kit, peer, version)
    server.process.kill()
    expect_bad(client, containing=TRUNCATED)
    expect(not client.matching("lost: clean"), "the client says lost: clean")


# What a client says when our server is killed, and the status that it ends with.
TOLD_TO_CLIENTS = {
    "openssl": (1, "unexpected eof while reading"),
    "gnutls": (1, "The TLS connection was non-properly terminated"),
    # The end of the connection is the end of such an answer, and curl does not want a close_notify ahead of it.
    "curl": (0, ""),
    "twisted": (1, "lost: unclean: Connection to the other side was lost in a non-clean fashion"),
}


def our_server_is_killed(kit, peer, version):
    server, client = _talking_client(kit, peer, version)
    server.process.kill()
    status = client.wait(15)
    expected, said = TOLD_TO_CLIENTS[peer]
    expect(status == expected, f"{client.name} ended with status {status}")
    expect(said in client.text(), f"{client.name} does not say {said!r}")


# The same of a server when our client is killed.
TOLD_TO_SERVERS = {
    "openssl": "unexpected eof while reading",
    "gnutls": "Error: (The TLS connection was non-properly terminated|Error in the pull function)",
    "twisted": "lost: unclean: Connection to the other side was lost in a non-clean fashion",
}


def our_client_is_killed(kit, peer, version):
    server, client = _waiting_client(kit, peer, version)
    client.process.kill()
    said = TOLD_TO_SERVERS[peer]
    server.wait_line(f".*{said}")
    expect("lost: clean" not in server.text(), "the server says lost: clean")


for version in VERSIONS:
    for peer in CLIENTS:
        add_case("endings", f"server/{peer}/{version}/closes", our_server_closes, peer, version)
        add_case("endings", f"server/{peer}/{version}/peer-killed", their_client_is_killed, peer, version)
        add_case("endings", f"server/{peer}/{version}/killed", our_server_is_killed, peer, version)
    for peer in SERVERS:
        add_case("endings", f"client/{peer}/{version}/peer-killed", their_server_is_killed, peer, version)
        add_case("endings", f"client/{peer}/{version}/killed", our_client_is_killed, peer, version)
