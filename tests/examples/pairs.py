"""Every pair of examples on good terms, and how servers end."""

from harness.cases import add_case, case
from harness.layers import Layered, client_context
from harness.programs import expect
from harness.sockets import Listener, connect, read_line, reset, wait_closed, wait_until

from .steps import (ECHO_LINES, PAIRS, TRUST, expect_bad, expect_ok, good_client, pair_of, start_client,
                    start_server)


def works(kit, name):
    server = start_server(kit, name)
    for _ in range(2):
        good_client(kit, server, name)
    server.wait_line("lost: ", count=2)
    expect(server.matching("lost: ", "out") == ["lost: clean"] * 2, f"the server says {server.matching('lost: ')}")
    server.ends_well()
    expect(server.matching("lost: ", "out") == ["lost: clean"] * 2, "a connection was lost twice")


def works_over_ipv6(kit, server_name, client_name):
    server_flags, client_flags = TRUST[pair_of(server_name)[1]](kit.certs)
    server = kit.serve(server_name, "--host", "::1", *server_flags)
    expect_ok(kit.start(client_name, "--host", "::1", "--port", server.port, "--timeout", 10, *client_flags))
    server.wait_line("lost: clean$")


def ends_beside_a_live_connection(kit, name):
    """SIGTERM with connections open: they are told, the server says how each ended, and the status is 0."""
    server = start_server(kit, name)
    with connect(server.port) as idle:
        good_client(kit, server, name)  # the idle one has been accepted before
        server.ends_well()
        wait_closed(idle, "the idle connection", 5)
    expect(len(server.matching("lost: ", "out")) == 2, f"the server says {server.matching('lost: ')}")


for server_name, client_name, _ in PAIRS:
    add_case("pairs", f"pair/{server_name}/{client_name}", works, server_name)
    add_case("pairs", f"pair-ipv6/{server_name}/{client_name}", works_over_ipv6, server_name, client_name)
    add_case("pairs", f"sigterm/{server_name}", ends_beside_a_live_connection, server_name)


@case("pairs", "sigterm/echoserv_ssl/live-session")
def tells_a_live_session(kit):
    server = start_server(kit, "echoserv_ssl")
    end = Layered.to(server.port)
    end.push(client_context(kit.certs.ca), "example.com")
    expect(end.ask(b"still here?") == b"still here?", "no echo")
    server.ends_well()
    end.ended_cleanly()  # ends, in whichever way: on shutdown Twisted loses connections without a close_notify
    expect(len(server.matching("lost: ", "out")) == 1, f"the server says {server.matching('lost: ')}")


def _received_lines(kit, name):
    server = start_server(kit, name)
    good_client(kit, server, name)
    server.wait_line("lost: ")
    return server.matching("received: ", "out")


@case("pairs", "received/line_echo_server")
def says_each_echoed_line(kit):
    got = _received_lines(kit, "line_echo_server")
    expect(got == [f"received: {line}" for line in ECHO_LINES], f"the server says {got}")


@case("pairs", "received/starttls_server")
def says_each_starttls_line(kit):
    got = _received_lines(kit, "starttls_server")
    expect(got == ["received: plain text", "received: STARTTLS", "received: secure text"], f"the server says {got}")


def plain_end(kit, name, ending, expected):
    server = start_server(kit, name)
    sock = connect(server.port)
    sock.sendall(b"one line\r\n")
    expect(read_line(sock) == b"one line", "no echo")
    ending(sock)
    line = server.wait_line("lost: .*").group(0)
    expect(line.startswith(expected), f"{line!r} where {expected!r} is due")
    server.ends_well()


def half_line_then_fin(sock):
    sock.sendall(b"half a li")
    sock.close()


for server_name in ["line_echo_server", "onion_server"]:
    add_case("pairs", f"end/{server_name}/fin", plain_end, server_name, lambda sock: sock.close(), "lost: clean")
    add_case("pairs", f"end/{server_name}/half-line", plain_end, server_name, half_line_then_fin, "lost: clean")
    add_case("pairs", f"end/{server_name}/rst", plain_end, server_name, reset, "lost: unclean: ")


@case("pairs", "line_client/endpoint-string")
def line_client_mirrors(kit):
    """The answer's warm-up connects to an endpoint string and echoes what a server says, until it is told to end."""
    def talk(sock):
        for line in (b"one", b"two"):
            sock.sendall(line + b"\r\n")
            expect(read_line(sock) == line, "no echo")
        echoed.append(True)
        wait_closed(sock, "the client", 20)
    echoed = []
    listener = Listener(kit, talk)
    client = kit.start("line_client", f"tcp:localhost:{listener.port}")
    wait_until(lambda: echoed or listener.errors or client.process.poll() is not None, "no echo")
    expect(echoed, f"the lines did not come back: {listener.errors}")
    status = client.terminate()
    expect(status == 0, f"status {status} on SIGTERM")


def silent_peer(kit, name, flags):
    """--timeout is for a peer that accepts and then says nothing."""
    listener = Listener(kit, lambda sock: wait_closed(sock, "the client", 20))
    expect_bad(start_client(kit, name, listener.port, *flags, timeout=1), timeout=8)


def refused(kit, name, flags):
    listener = Listener(kit, lambda sock: None)
    listener.close()
    expect_bad(start_client(kit, name, listener.port, *flags, timeout=30), timeout=8)


def drops(kit, name, flags):
    """A peer that accepts and closes: the client ends at once, without waiting for its timeout."""
    listener = Listener(kit, lambda sock: None)
    expect_bad(start_client(kit, name, listener.port, *flags, timeout=30), timeout=8)


def _client_cases():
    clients = [(client, kind) for _, client, kind in PAIRS] + [("check_server_certificate", "tls")]
    for client, kind in clients:
        for what, run in (("silent", silent_peer), ("refused", refused), ("dropped", drops)):
            add_case("pairs", f"{what}/{client}",
                     lambda kit, client=client, kind=kind, run=run: run(kit, client, TRUST[kind](kit.certs)[1]))


_client_cases()
