"""Our servers, with OpenSSL's, GnuTLS's, socat's and curl's clients."""

from harness.cases import add_case
from harness.programs import expect

from . import needs, tools

VERSIONS = ("1.2", "1.3")
CLIENTS = {"openssl": tools.openssl_client, "gnutls": tools.gnutls_client, "socat": tools.socat_client}


def plain_socat(kit, name):
    server = kit.serve(name)
    client = kit.run([needs.tool("socat"), "-t", "5", "-", f"TCP:127.0.0.1:{server.port}"], "socat")
    tools.talk(client)
    tools.finish(client)
    server.wait_line("lost: clean$")
    server.ends_well()


def plain_curl(kit, name):
    """curl's telnet does not end with its input, so its time limit ends it."""
    server = kit.serve(name)
    client = kit.run([needs.tool("curl"), "-sS", "--no-buffer", "--max-time", "2",
                      f"telnet://127.0.0.1:{server.port}"], "curl")
    tools.talk(client)
    tools.finish(client, (0, 28))
    server.wait_line("lost: clean$")
    server.ends_well()


for server_name in ("echoserv", "echoserv_pool", "line_echo_server"):
    add_case("tools", f"{server_name}/socat", plain_socat, server_name)
    add_case("tools", f"{server_name}/curl", plain_curl, server_name)


def tls_echo(kit, make_client, version):
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    client = make_client(kit, server.port, version)
    tools.talk(client)
    tools.finish(client)
    server.wait_line("lost: clean$")
    server.ends_well()


def tls_echo_curl(kit, version):
    """curl gets its own request back and would wait for more: its time limit ends it."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    client = tools.curl_client(kit, server.port, version, more=["--max-time", "1"])
    client.wait_line("GET / HTTP/1.1")
    tools.finish(client, (28,))
    server.wait_line("lost: ")
    server.ends_well()


def misnamed(kit, make_client, version):
    """A client that wants another name goes away; that is an unclean end for the server, which lives."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.wrong_host)
    client = make_client(kit, server.port, version)
    client.send(b"never to be said\r\n")
    expect(client.wait(15) != 0, f"{client.name} took the wrong name")
    server.wait_line("lost: ")
    expect("never to be said" not in server.text(), "the server got a line")
    server.ends_well()


def client_auth(kit, make_client, version):
    server = kit.serve("ssl_clientauth_server", "--cert", kit.certs.server, "--client-ca", kit.certs.ca)
    client = make_client(kit, server.port, version, certificate=kit.certs.client)
    tools.talk(client)
    tools.finish(client)
    server.wait_line("lost: clean$")
    server.ends_well()


def client_auth_curl(kit, version):
    server = kit.serve("ssl_clientauth_server", "--cert", kit.certs.server, "--client-ca", kit.certs.ca)
    client = tools.curl_client(kit, server.port, version, certificate=kit.certs.client, more=["--max-time", "1"])
    client.wait_line("GET / HTTP/1.1")
    tools.finish(client, (28,))
    server.ends_well()


def no_certificate(kit, make_client, version):
    server = kit.serve("ssl_clientauth_server", "--cert", kit.certs.server, "--client-ca", kit.certs.ca)
    client = make_client(kit, server.port, version)
    client.send(b"anybody there?\r\n")
    client.wait(15)
    expect("anybody" not in client.text("out"), "an echo without a certificate")
    server.wait_line("lost: unclean: .")
    server.ends_well()


for version in VERSIONS:
    for tool_name, make in CLIENTS.items():
        add_case("tools", f"echoserv_ssl/{tool_name}/{version}", tls_echo, make, version)
        add_case("tools", f"echoserv_ssl/{tool_name}/{version}/other-name", misnamed, make, version)
        add_case("tools", f"ssl_clientauth_server/{tool_name}/{version}", client_auth, make, version)
        add_case("tools", f"ssl_clientauth_server/{tool_name}/{version}/no-certificate", no_certificate, make, version)
    add_case("tools", f"echoserv_ssl/curl/{version}", tls_echo_curl, version)
    add_case("tools", f"ssl_clientauth_server/curl/{version}", client_auth_curl, version)


def alpn(kit, make_client, version, more, loss):
    """The server echoes the first octets, then closes; the tool ends by itself."""
    server = kit.serve("tls_alpn_server", "--cert", kit.certs.server, "--protocols", "h2,http/1.1")
    client = make_client(kit, server.port, version, more=more)
    client.send(b"first octets\r\n")
    client.wait_line("first octets")
    client.wait(15)
    server.wait_line("negotiated: h2$")
    server.wait_line(loss)
    server.ends_well()


def alpn_curl(kit, version):
    server = kit.serve("tls_alpn_server", "--cert", kit.certs.server, "--protocols", "h2,http/1.1")
    client = tools.curl_client(kit, server.port, version)
    tools.finish(client)
    expect(client.matching("GET / HTTP/1.1", "out"), "curl did not get its request back")
    server.wait_line("negotiated: http/1.1$")
    server.wait_line("lost: ")
    server.ends_well()


for version in VERSIONS:
    add_case("tools", f"tls_alpn_server/openssl/{version}", alpn, tools.openssl_client, version,
             ["-alpn", "http/1.1,h2"], "lost: clean$")
    add_case("tools", f"tls_alpn_server/gnutls/{version}", alpn, tools.gnutls_client, version,
             ["--alpn", "http/1.1", "--alpn", "h2"], "lost: ")  # it does not answer a close_notify
    add_case("tools", f"tls_alpn_server/curl/{version}", alpn_curl, version)


def demo(kit, make_client, version, flags):
    server = kit.start("ssl_demo", "server", "127.0.0.1", 0, "-c", kit.certs.local, *flags)
    port = int(server.wait_line(r"LISTENING (\d+)").group(1))
    client = make_client(kit, port, version, name="localhost")
    client.wait(20)
    expect(client.text("out").count("is better than") == 10000, f"{client.name} did not get the line 10000 times")
    status = server.wait(10)
    expect(status == 0, f"the server ended with status {status}")


for version in VERSIONS:
    for tool_name, make in {**CLIENTS, "curl": tools.curl_client}.items():
        add_case("tools", f"ssl_demo-server/{tool_name}/{version}", demo, make, version, [])
for tool_name, make in {**CLIENTS, "curl": tools.curl_client}.items():
    add_case("tools", f"ssl_demo-server/{tool_name}/pfs", demo, make, "1.2", ["--pfs"])
