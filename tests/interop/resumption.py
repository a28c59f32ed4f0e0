"""Sessions that are resumed: our server with others' clients, our client with others' servers."""

import re

from harness.cases import add_case
from harness.programs import expect

from examples.steps import TRUST, expect_ok, start_client

from . import needs, tools
from .needs import PEERS

VERSIONS = ("1.2", "1.3")
KINDS = {"ids": ["--sessions"], "tickets": ["--session-tickets"], "both": ["--sessions", "--session-tickets"],
         "off": []}


def _openssl(kit, port, version, *more):
    """One connection that says a line and waits for it. @return what s_client tells of the session"""
    client = kit.run([needs.tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", kit.certs.ca,
                      "-verify_return_error", "-verify_hostname", "example.com", "-servername", "example.com",
                      "-no_ign_eof", tools.openssl_version(version), *more], "openssl s_client")
    tools.talk(client, ("one line",))
    tools.finish(client)
    return client


def openssl_file(kit, version, kind):
    """-sess_out, then -sess_in: the session is kept by the client in a file."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, *KINDS[kind])
    session = kit.scratch / "session.pem"
    first = _openssl(kit, server.port, version, "-sess_out", session)
    expect(first.matching("New, TLSv"), "the first session was not new")
    if kind == "off":
        if version == "1.3":
            expect(not session.exists(), "there is a session to resume")
        return  # in TLS 1.2 the file holds a session without id and ticket, which s_client refuses to read
    for _ in range(2):
        again = _openssl(kit, server.port, version, "-sess_in", session, "-sess_out", session)
        expect(again.matching("Reused, TLSv"), "the session was not resumed")
    server.ends_well()


def openssl_reconnect(kit, kind):
    """-reconnect makes five connections more; with TLS 1.3 it does not wait for tickets, so TLS 1.2 only."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, *KINDS[kind])
    client = _openssl(kit, server.port, "1.2", "-reconnect")
    new, reused = len(client.matching("New, TLSv")), len(client.matching("Reused, TLSv"))
    expect((new, reused) == (1, 5), f"{new} new sessions, {reused} resumed ones")
    server.ends_well()


def gnutls_client(kit, version, kind):
    """--resume connects twice; the first connection waits a moment for tickets."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, *KINDS[kind])
    client = tools.gnutls_client(kit, server.port, version, more=["--resume", "--waitresumption"])
    client.wait_line(".*This is a resumed session")
    tools.talk(client, ("one line",))
    tools.finish(client)
    server.ends_well()


for version in VERSIONS:
    for kind in KINDS:
        add_case("resumption", f"echoserv_ssl/openssl/{version}/{kind}", openssl_file, version, kind)
    for kind in ("ids", "tickets"):
        add_case("resumption", f"echoserv_ssl/gnutls/{version}/{kind}", gnutls_client, version, kind)
for kind in ("ids", "tickets", "both"):
    add_case("resumption", f"echoserv_ssl/openssl-reconnect/1.2/{kind}", openssl_reconnect, kind)


def _sessions(kit, port, count=3):
    client = start_client(kit, "echoclient_ssl", port, *TRUST["tls"](kit.certs)[1], "--resume", str(count - 1))
    status = client.wait()
    expect(status == 0 and client.matching("OK: ", "out"), f"status {status}, {client.matching('', 'out')[-1:]}")
    return [re.sub("session: ", "", line) for line in client.matching("session: ", "out")]


def our_client(kit, make_server, version, options, resumes):
    _, port = make_server(kit, version, **options)
    sessions = _sessions(kit, port)
    expect(sessions == ["new"] + 2 * ["resumed" if resumes else "new"], f"{sessions}")


def our_client_twisted(kit, version, flags, resumes):
    needs.twisted()
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, "--tls", version, *flags, folder=PEERS)
    sessions = _sessions(kit, server.port)
    expect(sessions == ["new"] + 2 * ["resumed" if resumes else "new"], f"{sessions}")


def our_own(kit, kind):
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, *KINDS[kind])
    sessions = _sessions(kit, server.port)
    expect(sessions == ["new"] + 2 * ["resumed" if kind != "off" else "new"], f"{sessions}")
    expect_ok(start_client(kit, "echoclient_ssl", server.port, *TRUST["tls"](kit.certs)[1]))
    server.ends_well()


for version in VERSIONS:
    add_case("resumption", f"echoclient_ssl/openssl/{version}/tickets", our_client, tools.openssl_server, version, {}, True)
    add_case("resumption", f"echoclient_ssl/openssl/{version}/ids", our_client, tools.openssl_server, version,
             {"more": ["-no_ticket"]}, True)
    add_case("resumption", f"echoclient_ssl/gnutls/{version}/tickets", our_client, tools.gnutls_server, version, {}, True)
    add_case("resumption", f"echoclient_ssl/twisted/{version}/tickets", our_client_twisted, version, ["--sessions"], True)
    add_case("resumption", f"echoclient_ssl/twisted/{version}/off", our_client_twisted, version, [], False)
add_case("resumption", "echoclient_ssl/gnutls/1.2/ids", our_client, tools.gnutls_server, "1.2",
         {"more": ["--disable-client-cert", "--noticket"]}, True)
for kind in KINDS:
    add_case("resumption", f"echoclient_ssl/echoserv_ssl/{kind}", our_own, kind)
