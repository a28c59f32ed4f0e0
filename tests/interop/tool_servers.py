"""Our clients, with OpenSSL's, GnuTLS's and socat's servers."""

from harness.cases import add_case
from harness.programs import expect
from harness.sockets import free_port, wait_listening

from examples.steps import TRUST, expect_bad, expect_ok, start_client

from . import needs, tools

VERSIONS = ("1.2", "1.3")
SERVERS = {"openssl": tools.openssl_server, "gnutls": tools.gnutls_server, "socat": tools.socat_server}


def plain_socat(kit, name):
    port = free_port()
    kit.run([needs.tool("socat"), f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "PIPE"], "socat")
    wait_listening(port, "socat")
    expect_ok(start_client(kit, name, port))


for client_name in ("echoclient", "line_echo_client"):
    add_case("tools", f"{client_name}/socat", plain_socat, client_name)


def mirrored_lines(kit):
    port = free_port()
    peer = kit.run([needs.tool("socat"), f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", "-"], "socat")
    wait_listening(port, "socat")
    kit.start("line_client", f"tcp:localhost:{port}")
    tools.talk(peer)


add_case("tools", "line_client/socat", mirrored_lines)


def tls_echo(kit, make_server, version):
    _, port = make_server(kit, version)
    expect_ok(start_client(kit, "echoclient_ssl", port, *TRUST["tls"](kit.certs)[1]))


def wrong_certificate(kit, make_server, version):
    """wrong name, expired, unknown authority: refused, whoever shows it."""
    for certificate in (kit.certs.wrong_host, kit.certs.expired, kit.certs.other_server):
        _, port = make_server(kit, version, certificate)
        expect_bad(start_client(kit, "echoclient_ssl", port, *TRUST["tls"](kit.certs)[1]))


def client_auth(kit, make_server, version, more):
    """With a certificate OK; without one BAD."""
    _, port = make_server(kit, version, more=more(kit.certs))
    expect_ok(start_client(kit, "ssl_clientauth_client", port, *TRUST["clientauth"](kit.certs)[1]))
    expect_bad(start_client(kit, "echoclient_ssl", port, *TRUST["tls"](kit.certs)[1]))


DEMAND = {
    "openssl": lambda certs: ["-Verify", "1", "-verify_return_error", "-CAfile", certs.ca],
    "gnutls": lambda certs: ["--require-client-cert", "--verify-client-cert", "--x509cafile", certs.ca],
    "socat": lambda certs: f",verify=1,cafile={certs.ca}",
}

for version in VERSIONS:
    for tool_name, make in SERVERS.items():
        add_case("tools", f"echoclient_ssl/{tool_name}/{version}", tls_echo, make, version)
        add_case("tools", f"echoclient_ssl/{tool_name}/{version}/wrong-certificates", wrong_certificate, make, version)
        add_case("tools", f"ssl_clientauth_client/{tool_name}/{version}", client_auth, make, version, DEMAND[tool_name])


def alpn(kit, make_server, version, more):
    _, port = make_server(kit, version, more=more)
    client = start_client(kit, "tls_alpn_client", port, *TRUST["tls"](kit.certs)[1], "--protocols", "h2,http/1.1")
    status = client.wait()
    expect(client.matching("negotiated: ") == ["negotiated: http/1.1"], f"{client.matching('negotiated')}")
    expect(status == 0 and client.matching("OK: ", "out"), f"status {status}, {client.matching('', 'out')[-1:]}")


def nothing_negotiated(kit, make_server, version):
    """A server that knows nothing of ALPN: a session, but BAD."""
    _, port = make_server(kit, version)
    client = start_client(kit, "tls_alpn_client", port, *TRUST["tls"](kit.certs)[1], "--protocols", "h2")
    expect_bad(client)
    expect(client.matching("negotiated: ") == ["negotiated: none"], f"{client.matching('negotiated')}")


for version in VERSIONS:
    add_case("tools", f"tls_alpn_client/openssl/{version}", alpn, tools.openssl_server, version, ["-alpn", "http/1.1"])
    add_case("tools", f"tls_alpn_client/gnutls/{version}", alpn, tools.gnutls_server, version,
             ["--alpn", "http/1.1", "--disable-client-cert"])
    add_case("tools", f"tls_alpn_client/socat/{version}/none", nothing_negotiated, tools.socat_server, version)


def certificate_check(kit, make_server, version, options):
    _, port = make_server(kit, version, **options)
    client = start_client(kit, "check_server_certificate", port, *TRUST["tls"](kit.certs)[1])
    status = client.wait()
    last = client.matching("", "out")[-1:]
    expect(status == 0 and last and last[0].startswith("OK: ") and "example.com" in last[0], f"status {status}, {last}")


for version in VERSIONS:
    for tool_name, make, how in (("openssl", tools.openssl_server, {"more": ["-www"], "echo": False}),
                                 ("gnutls", tools.gnutls_server, {"mode": ["--http"]}),
                                 ("socat", tools.socat_server, {})):
        add_case("tools", f"check_server_certificate/{tool_name}/{version}", certificate_check, make, version, how)


def demo(kit, version, flags):
    """socat sends a file and ends the session."""
    data = kit.scratch / "lines"
    data.write_bytes(b"Beautiful is better than ugly" * 10000)
    _, port = tools.socat_server(kit, version, kit.certs.local, to=f"SYSTEM:cat {data}")
    client = kit.start("ssl_demo", "client", "127.0.0.1", port, "-ca", kit.certs.ca, *flags)
    status = client.wait()
    expect(status == 0 and client.matching("OK: ", "out"), f"status {status}, {client.matching('', 'out')[-1:]}")


for version in VERSIONS:
    add_case("tools", f"ssl_demo-client/socat/{version}", demo, version, [])
add_case("tools", "ssl_demo-client/socat/pfs", demo, "1.2", ["--pfs"])
