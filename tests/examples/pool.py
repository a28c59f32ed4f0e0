"""The echo server on several threads, in both of its ways to accept."""

import socket

from harness.cases import add_case, case
from harness.layers import Layered, client_context
from harness.programs import expect
from harness.sockets import connect, wait_closed, wait_until

from .bad_input import complains
from .steps import expect_ok, start_client

WAYS = {"reuse-port": ["--reactors", 3], "hand-over": ["--reactors", 3, "--hand-over"], "alone": ["--reactors", 1]}


def serve(kit, way, *flags):
    return kit.serve("echoserv_pool", *WAYS[way], *flags)


def threads_of(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Threads:"))


def pair(kit, way):
    server = serve(kit, way)
    expect(threads_of(server) == (1 if way == "alone" else 3), f"{threads_of(server)} threads")
    for _ in range(6):
        expect_ok(start_client(kit, "echoclient", server.port))
    server.wait_line("lost: ", count=6)
    server.ends_well()
    expect(server.matching("lost: ", "out") == ["lost: clean"] * 6, f"the server says {server.matching('lost: ')}")


def tls_pair(kit, way):
    server = serve(kit, way, "--tls", "--cert", kit.certs.server)
    trust = ["--hostname", "example.com", "--ca", kit.certs.ca]
    for _ in range(3):
        expect_ok(start_client(kit, "echoclient_ssl", server.port, *trust))
    end = Layered.to(server.port)
    end.push(client_context(kit.certs.ca), "example.com")
    expect(end.ask(b"still here?") == b"still here?", "no echo")
    server.ends_well()
    expect(len(server.matching("lost: ", "out")) == 4, f"the server says {server.matching('lost: ')}")


def openssl_client(kit, way):
    server = serve(kit, way, "--tls", "--cert", kit.certs.server)
    client = kit.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{server.port}", "-CAfile", kit.certs.ca,
                      "-verify_return_error", "-verify_hostname", "example.com"], "openssl")
    client.send(b"what a fine day\r\n")
    client.wait_line("what a fine day")
    client.process.terminate()
    server.wait_line("lost: ")
    server.ends_well()


def crowd(kit, way):
    """Many connections at once, on all reactors: each echoes, and SIGTERM tells each once."""
    server = serve(kit, way)
    socks = [connect(server.port) for _ in range(60)]
    for number, sock in enumerate(socks):
        sock.sendall(b"%d" % number)
    for number, sock in enumerate(socks):
        expect(sock.recv(100) == b"%d" % number, "no echo")
    server.ends_well()
    for sock in socks:
        wait_closed(sock, "a connection", 5)
    expect(len(server.matching("lost: ", "out")) == 60, f"{len(server.matching('lost: ', 'out'))} were told, not 60")


def descriptors(kit, way):
    server = serve(kit, way)
    before = server.descriptors()
    for _ in range(30):
        connect(server.port).close()
    server.wait_line("lost: ", count=30)
    wait_until(lambda: server.descriptors() <= before, f"more than {before} descriptors", 15)
    server.ends_well()


for way_name in WAYS:
    add_case("pool", f"pair/{way_name}", pair, way_name)
    add_case("pool", f"tls-pair/{way_name}", tls_pair, way_name)
    add_case("pool", f"openssl/{way_name}", openssl_client, way_name)
    add_case("pool", f"crowd/{way_name}", crowd, way_name)
    add_case("pool", f"descriptors/{way_name}", descriptors, way_name)


@case("pool", "ipv6")
def over_ipv6(kit):
    server = kit.serve("echoserv_pool", "--reactors", 2, "--host", "::1")
    expect_ok(kit.start("echoclient", "--host", "::1", "--port", server.port, "--timeout", 10))
    server.wait_line("lost: clean$")
    server.ends_well()


@case("pool", "second-server")
def second_server_on_the_port(kit):
    """Sharing is for the reactors of one pool: a second server is told that the port is in use."""
    first = kit.serve("echoserv_pool", "--reactors", 2)
    complains(kit.start("echoserv_pool", "--reactors", 2, "--port", first.port), str(first.port))
    first.ends_well()


@case("pool", "port-in-use")
def port_in_use(kit):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        complains(kit.start("echoserv_pool", "--port", taken.getsockname()[1]), str(taken.getsockname()[1]))


def bad_number(kit, number):
    complains(kit.start("echoserv_pool", "--port", 0, "--reactors", number), "--reactors")


for value in ("0", "-1", "1025", "many"):
    add_case("pool", f"reactors/{value}", bad_number, value)
