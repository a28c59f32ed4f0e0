"""TLS examples: who is trusted, which versions and protocols are agreed on, how sessions end."""

from harness.cases import add_case, case
from harness.layers import Layered, client_context
from harness.programs import expect
from harness.sockets import reset

from .steps import TLS_SERVERS, expect_bad, expect_ok, good_client, start_client, start_server

TRUSTING = ["--hostname", "example.com", "--ca"]


def refuses(kit, certificate, flags):
    """The client's verification fails: BAD with a reason; the server sees an unclean end."""
    for server_name, client_name in (("echoserv_ssl", "echoclient_ssl"), ("starttls_server", "starttls_client"),
                                     ("echoserv_ssl", "check_server_certificate")):
        server = kit.serve(server_name, "--cert", getattr(kit.certs, certificate))
        expect_bad(start_client(kit, client_name, server.port, *flags(kit.certs)))
        server.wait_line("lost: unclean: .")
        expect("secure text" not in server.text() and "Hello" not in server.text(), "the server got a line")


add_case("tls", "refuses/wrong-host", refuses, "wrong_host", lambda certs: [*TRUSTING, certs.ca])
add_case("tls", "refuses/expired", refuses, "expired", lambda certs: [*TRUSTING, certs.ca])
add_case("tls", "refuses/unknown-authority", refuses, "other_server", lambda certs: [*TRUSTING, certs.ca])
add_case("tls", "refuses/other-name-asked", refuses, "server",
         lambda certs: ["--hostname", "other.example", "--ca", certs.ca])
add_case("tls", "refuses/platform-roots", refuses, "server", lambda certs: ["--hostname", "example.com"])


@case("tls", "pem/certificate-first")
def pem_in_any_order(kit):
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.reversed)
    expect_ok(start_client(kit, "echoclient_ssl", server.port, *TRUSTING, kit.certs.ca))


def address_identity(kit, name, good):
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.local)
    client = start_client(kit, "echoclient_ssl", server.port, "--hostname", name, "--ca", kit.certs.ca)
    expect_ok(client) if good else expect_bad(client)


add_case("tls", "identity/127.0.0.1", address_identity, "127.0.0.1", True)
add_case("tls", "identity/::1", address_identity, "::1", True)
add_case("tls", "identity/127.0.0.2", address_identity, "127.0.0.2", False)


@case("tls", "clientauth/no-certificate")
def client_without_certificate(kit):
    """The howto's own demonstration: the plain TLS client gets nothing from the server that wants a certificate."""
    server = start_server(kit, "ssl_clientauth_server")
    client = start_client(kit, "echoclient_ssl", server.port, *TRUSTING, kit.certs.ca)
    expect_bad(client)
    expect(not client.matching("lost: clean"), "the client says lost: clean")
    server.wait_line("lost: unclean: .")
    expect("Hello" not in server.text(), "the server took a line")
    good_client(kit, server, "ssl_clientauth_server")


@case("tls", "clientauth/stranger")
def client_of_another_authority(kit):
    server = start_server(kit, "ssl_clientauth_server")
    expect_bad(start_client(kit, "ssl_clientauth_client", server.port, *TRUSTING, kit.certs.ca,
                            "--cert", kit.certs.stranger))
    server.wait_line("lost: unclean: .")


def alpn(kit, server_list, client_list, agreed):
    server = kit.serve("tls_alpn_server", "--cert", kit.certs.server, "--protocols", server_list)
    client = start_client(kit, "tls_alpn_client", server.port, *TRUSTING, kit.certs.ca, "--protocols", client_list)
    expect_ok(client) if agreed else expect_bad(client)
    if agreed:
        expect(client.matching("negotiated: ") == [f"negotiated: {agreed}"], f"client: {client.matching('negotiated')}")
        server.wait_line("lost: clean")
        expect(server.matching("negotiated: ") == [f"negotiated: {agreed}"], f"server: {server.matching('negotiated')}")


add_case("tls", "alpn/server-chooses", alpn, "h2,http/1.1", "http/1.1,h2", "h2")
add_case("tls", "alpn/only-common", alpn, "h2,http/1.1", "http/1.1", "http/1.1")
add_case("tls", "alpn/none-in-common", alpn, "h2", "spdy/1", None)


@case("tls", "alpn/not-offered")
def alpn_not_offered(kit):
    server = start_server(kit, "tls_alpn_server")
    end = Layered.to(server.port)
    end.push(client_context(kit.certs.ca), "example.com")
    expect(end.ask(b"no protocol") == b"no protocol", "no echo")
    expect(end.ended_cleanly(), "the server ended the session without close_notify")
    end.close_layer()
    end.close()
    server.wait_line("negotiated: none$")


@case("tls", "check_server_certificate/subject")
def shows_the_subject(kit):
    server = start_server(kit, "echoserv_ssl")
    client = start_client(kit, "check_server_certificate", server.port, *TRUSTING, kit.certs.ca)
    status = client.wait()
    last = client.matching("", "out")[-1:]
    expect(status == 0 and last and last[0].startswith("OK: "), f"status {status}, {last}")
    expect("example.com" in last[0], f"{last[0]!r} does not name the subject")


def ends(kit, name, version, ending, expected):
    """How a server names the end of a TLS session."""
    server = start_server(kit, name)
    certificate = kit.certs.client if name == "ssl_clientauth_server" else None
    end = Layered.to(server.port)
    end.push(client_context(kit.certs.ca, version, certificate), "example.com")
    if name != "tls_alpn_server":  # which would close by itself
        expect(end.ask(b"one line") == b"one line", "no echo")
    ending(end)
    line = server.wait_line("lost: .*").group(0)
    expect(line.startswith(expected), f"{line!r} where {expected!r} is due")
    server.ends_well()


def close_notify(end):
    end.close_layer()
    end.ended_cleanly()
    end.close()


def fin(end):
    end.close()


def rst(end):
    reset(end.sock)


def bad_record(end):
    end.sock.sendall(b"\x17\x03\x03\x00\x20" + b"\xa5" * 32)
    end.ended_cleanly()
    end.close()


for server_name in TLS_SERVERS:
    for tls_version in ("1.2", "1.3"):
        for how, outcome in ((close_notify, "lost: clean"), (fin, "lost: unclean: "), (rst, "lost: unclean: "),
                             (bad_record, "lost: unclean: ")):
            add_case("tls", f"end/{server_name}/{tls_version}/{how.__name__}",
                     ends, server_name, tls_version, how, outcome)


def demo(kit, flags):
    server = kit.start("ssl_demo", "server", "127.0.0.1", 0, "-c", kit.certs.local, "-ca", kit.certs.ca, *flags)
    port = server.wait_line(r"LISTENING (\d+)").group(1)
    client = kit.start("ssl_demo", "client", "127.0.0.1", port, "-ca", kit.certs.ca, *flags)
    status = client.wait()
    expect(status == 0, f"the client ended with status {status}")
    expect(client.matching("OK: ", "out"), "the client does not say OK")
    expect(str(port) in client.text("out"), "the client does not show the peer's address")
    status = server.wait(10)
    expect(status == 0, f"the server ended with status {status}")


add_case("tls", "ssl_demo/defaults", demo, [])
add_case("tls", "ssl_demo/pfs", demo, ["--pfs"])


@case("tls", "ssl_demo/pfs-settings")
def demo_pfs_settings(kit):
    """The notes' section on forward secrecy: TLS 1.2 with ephemeral elliptic-curve keys and AES-128."""
    server = kit.start("ssl_demo", "server", "127.0.0.1", 0, "-c", kit.certs.local, "--pfs")
    port = int(server.wait_line(r"LISTENING (\d+)").group(1))
    end = Layered.to(port)
    tls = end.push(client_context(kit.certs.ca), "localhost")
    name, version, _ = tls.cipher()
    expect(version == "TLSv1.2" and name.startswith("ECDHE-") and "AES128" in name, f"{name} {version}")
    expect(end.ended_cleanly(), "the server ended without close_notify")
