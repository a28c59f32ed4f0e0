"""Our programs against the same programs on Python Twisted."""

from harness.cases import add_case
from harness.programs import expect
from harness.sockets import free_port, wait_listening

from examples.steps import PAIRS, TRUST, expect_bad, expect_ok, start_client

from . import needs
from .needs import PEERS


def our_server(kit, server_name, client_name, kind, pinned):
    needs.twisted()
    server_flags, client_flags = TRUST[kind](kit.certs)
    server = kit.serve(server_name, *server_flags)
    expect_ok(start_client(kit, client_name, server.port, *client_flags, *pinned, folder=PEERS))
    server.wait_line("lost: clean$")
    server.ends_well()


def our_client(kit, server_name, client_name, kind, pinned):
    needs.twisted()
    server_flags, client_flags = TRUST[kind](kit.certs)
    server = kit.serve(server_name, *server_flags, *pinned, folder=PEERS)
    expect_ok(start_client(kit, client_name, server.port, *client_flags))
    server.wait_line("lost: clean$")


for server_name, client_name, kind in PAIRS:
    if kind == "onion":
        continue  # has a module of its own
    for version in ("1.2", "1.3") if kind != "plain" else ("",):
        pinned = ["--tls", version] if version else []
        ending = f"/{version}" if version else ""
        add_case("twisted", f"{server_name}/twisted{ending}", our_server, server_name, client_name, kind, pinned)
        add_case("twisted", f"{client_name}/twisted{ending}", our_client, server_name, client_name, kind, pinned)


def _expect_certificate(client):
    status = client.wait()
    last = client.matching("", "out")[-1:]
    expect(status == 0 and last and last[0].startswith("OK: ") and "example.com" in last[0], f"status {status}, {last}")


def certificate_of_theirs(kit, version):
    needs.twisted()
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, "--tls", version, folder=PEERS)
    _expect_certificate(start_client(kit, "check_server_certificate", server.port, *TRUST["tls"](kit.certs)[1]))


def certificate_of_ours(kit, version):
    needs.twisted()
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    _expect_certificate(start_client(kit, "check_server_certificate", server.port, *TRUST["tls"](kit.certs)[1],
                                     "--tls", version, folder=PEERS))


for version in ("1.2", "1.3"):
    add_case("twisted", f"check_server_certificate/twisted/{version}", certificate_of_theirs, version)
    add_case("twisted", f"echoserv_ssl/twisted-check/{version}", certificate_of_ours, version)


def their_client_without_certificate(kit):
    needs.twisted()
    server_flags, _ = TRUST["clientauth"](kit.certs)
    server = kit.serve("ssl_clientauth_server", *server_flags)
    expect_bad(start_client(kit, "echoclient_ssl", server.port, *TRUST["tls"](kit.certs)[1], folder=PEERS))
    server.wait_line("lost: unclean: .")


def our_client_without_certificate(kit):
    needs.twisted()
    server_flags, _ = TRUST["clientauth"](kit.certs)
    server = kit.serve("ssl_clientauth_server", *server_flags, folder=PEERS)
    expect_bad(start_client(kit, "echoclient_ssl", server.port, *TRUST["tls"](kit.certs)[1]))


add_case("twisted", "ssl_clientauth_server/twisted/no-certificate", their_client_without_certificate)
add_case("twisted", "echoclient_ssl/twisted-clientauth", our_client_without_certificate)


def mirrored_lines(kit):
    """The answer's warm-up, for a server that says lines."""
    needs.twisted()
    server = kit.serve("line_talker", folder=PEERS)
    kit.start("line_client", f"tcp:localhost:{server.port}")
    server.wait_line("OK: ")


add_case("twisted", "line_client/twisted", mirrored_lines)


def demo_client(kit, flags):
    port = free_port()
    server = kit.start("ssl_demo", "server", "127.0.0.1", port, "-c", kit.certs.local, *flags, folder=PEERS)
    wait_listening(port, server.name)
    client = kit.start("ssl_demo", "client", "127.0.0.1", port, "-ca", kit.certs.ca, *flags)
    status = client.wait()
    expect(status == 0 and client.matching("OK: ", "out"), f"status {status}, {client.matching('', 'out')[-1:]}")
    status = server.wait(10)
    expect(status == 0, f"the server ended with status {status}")


def demo_server(kit, flags):
    server = kit.start("ssl_demo", "server", "127.0.0.1", 0, "-c", kit.certs.local, *flags)
    port = server.wait_line(r"LISTENING (\d+)").group(1)
    client = kit.start("ssl_demo", "client", "127.0.0.1", port, "-ca", kit.certs.ca, *flags, folder=PEERS)
    status = client.wait()
    expect(status == 0, f"the client ended with status {status}")
    status = server.wait(10)
    expect(status == 0, f"the server ended with status {status}")


for label, demo_flags in (("", []), ("/pfs", ["--pfs"])):
    add_case("twisted", f"ssl_demo-client/python-ssl{label}", demo_client, demo_flags)
    add_case("twisted", f"ssl_demo-server/python-ssl{label}", demo_server, demo_flags)
