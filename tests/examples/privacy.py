"""What a relay between two programs gets to see."""

from harness.cases import add_case
from harness.layers import Layered, server_context
from harness.programs import Failed, expect
from harness.sockets import Listener, Relay

from .steps import ECHO_LINES, client_flags, expect_ok, onion_client_flags, start_client, start_server


def overheard(kit, server_name, client_name, flags, hidden, open_lines=()):
    server = start_server(kit, server_name)
    relay = Relay(kit, server.port)
    expect_ok(start_client(kit, client_name, relay.port, *flags))
    server.wait_line("lost: ")
    captured = bytes(relay.captured)
    expect(len(captured) > 500, f"the relay saw {len(captured)} octets only")
    for line in hidden:
        expect(line.encode() not in captured, f"the relay saw {line!r}")
    for line in open_lines:
        expect(line.encode() in captured, f"the relay did not see {line!r}, which is said in the open")


def echo_programs(kit, server_name, client_name):
    overheard(kit, server_name, client_name, client_flags(kit, server_name), ECHO_LINES)


add_case("privacy", "overheard/echoserv_ssl", echo_programs, "echoserv_ssl", "echoclient_ssl")
add_case("privacy", "overheard/ssl_clientauth_server", echo_programs, "ssl_clientauth_server", "ssl_clientauth_client")


def starttls(kit):
    overheard(kit, "starttls_server", "starttls_client", client_flags(kit, "starttls_server"),
              ["secure text"], ["plain text", "STARTTLS", "READY"])


def onion(kit, depth):
    levels = range(1, depth + 1)
    overheard(kit, "onion_server", "onion_client", onion_client_flags(kit.certs, depth, 2),
              ["POP", "BYE"] + [f"up {d} {c}" for d in levels for c in (0, 1)]
              + [f"down {d} {c}" for d in levels for c in (0, 1)],
              ["up 0 0", "PUSH", "READY", "down 0 0", "down 0 1"])


add_case("privacy", "overheard/starttls_server", starttls)
for layers in (1, 2, 3):
    add_case("privacy", f"overheard/onion_server/depth-{layers}", onion, layers)


def alpn(kit):
    """The line is the client's own choice, so an honest peer is asked for it first."""
    def learn(sock):
        context = server_context(kit.certs.server)
        context.set_alpn_protocols(["h2"])
        end = Layered(sock)
        end.push(context, server_side=True)
        lines.append(end.read_line().decode())
        end.send_line(lines[0].encode())
        end.close_layer()
    lines = []
    listener = Listener(kit, learn)
    expect_ok(start_client(kit, "tls_alpn_client", listener.port, *client_flags(kit, "tls_alpn_server")))
    if not lines or len(lines[0]) < 4:
        raise Failed(f"no line was said: {lines} {listener.errors}")
    overheard(kit, "tls_alpn_server", "tls_alpn_client", client_flags(kit, "tls_alpn_server"), lines)


add_case("privacy", "overheard/tls_alpn_server", alpn)


def certificate_check(kit):
    server = start_server(kit, "echoserv_ssl")
    relay = Relay(kit, server.port)
    client = start_client(kit, "check_server_certificate", relay.port, *client_flags(kit, "echoserv_ssl"))
    status = client.wait()
    expect(status == 0, f"the client ended with status {status}")
    expect(b"GET /" not in relay.captured, "the relay saw the request")


add_case("privacy", "overheard/check_server_certificate", certificate_check)


def demo(kit, flags):
    server = kit.start("ssl_demo", "server", "127.0.0.1", 0, "-c", kit.certs.local, *flags)
    relay = Relay(kit, int(server.wait_line(r"LISTENING (\d+)").group(1)))
    client = kit.start("ssl_demo", "client", "127.0.0.1", relay.port, "-ca", kit.certs.ca, *flags)
    status = client.wait()
    expect(status == 0, f"the client ended with status {status}")
    expect(len(relay.captured) > 200000, "the relay saw too little")
    expect(b"is better than" not in relay.captured, "the relay saw the line")


add_case("privacy", "overheard/ssl_demo", demo, [])
add_case("privacy", "overheard/ssl_demo-pfs", demo, ["--pfs"])
