"""Steps that many cases take."""

import contextlib
import re
import resource
import signal

from harness.programs import BACKTRACE, Failed, expect
from harness.sockets import wait_until

ECHO_LINES = ["Hello, world!", "What a fine day it is.", "Bye-bye!"]

# By kind: the flags of a server and of the client that finds it well.
TRUST = {
    "plain": lambda certs: ([], []),
    "tls": lambda certs: (["--cert", certs.server], ["--hostname", "example.com", "--ca", certs.ca]),
    "clientauth": lambda certs: (
        ["--cert", certs.server, "--client-ca", certs.ca],
        ["--hostname", "example.com", "--ca", certs.ca, "--cert", certs.client]),
    "alpn": lambda certs: (
        ["--cert", certs.server, "--protocols", "h2,http/1.1"],
        ["--hostname", "example.com", "--ca", certs.ca, "--protocols", "http/1.1,h2"]),
    "onion": lambda certs: (onion_server_flags(certs), onion_client_flags(certs, 2, 1)),
}
PAIRS = [
    ("echoserv", "echoclient", "plain"),
    ("line_echo_server", "line_echo_client", "plain"),
    ("echoserv_ssl", "echoclient_ssl", "tls"),
    ("starttls_server", "starttls_client", "tls"),
    ("ssl_clientauth_server", "ssl_clientauth_client", "clientauth"),
    ("tls_alpn_server", "tls_alpn_client", "alpn"),
    ("onion_server", "onion_client", "onion"),
]
TLS_SERVERS = ["echoserv_ssl", "ssl_clientauth_server", "tls_alpn_server"]
LINE_SERVERS = ["line_echo_server", "starttls_server", "onion_server"]


def onion_server_flags(certs):
    return [part for n in (1, 2, 3) for part in ("--cert", getattr(certs, f"layer{n}"))]


def onion_client_flags(certs, depth, cycles):
    flags = ["--depth", str(depth), "--cycles", str(cycles)]
    for n in range(1, depth + 1):
        flags += ["--ca", getattr(certs, f"layer{n}_public"), "--hostname", f"layer{n}.example"]
    return flags


def states(program):
    """The depths that a program says it went through."""
    return [int(line.split()[1]) for line in program.matching("state: ")]


def expect_states(program, way):
    """stderr may arrive later than what was said after it on stdout."""
    try:
        wait_until(lambda: states(program) == way, "", 5)
    except Failed:
        raise Failed(f"{program.name} went through the depths {states(program)}, not {way}") from None


def up_and_down(depth, cycles):
    way = [0]
    for _ in range(cycles):
        way += [*range(1, depth + 1), *reversed(range(depth))]
    return way


def pair_of(server_name):
    return next((client, trust) for server, client, trust in PAIRS if server == server_name)


def start_server(kit, name, **options):
    _, trust = pair_of(name)
    return kit.serve(name, *TRUST[trust](kit.certs)[0], **options)


def client_flags(kit, server_name):
    return TRUST[pair_of(server_name)[1]](kit.certs)[1]


def start_client(kit, name, port, *flags, timeout=10, **options):
    return kit.start(name, "--host", "127.0.0.1", "--port", port, "--timeout", timeout, *flags, **options)


def expect_ok(client, timeout=20):
    status = client.wait(timeout)
    last = client.matching("", "out")[-1:]
    expect(status == 0, f"{client.name} ended with status {status} and {last}")
    expect(last and last[0].startswith("OK: "), f"the last line of {client.name} is {last}, not OK")
    expect(client.matching("lost: ") == ["lost: clean"], f"{client.name} says {client.matching('lost: ')}")
    return client


def expect_bad(client, timeout=20, containing=""):
    status = client.wait(timeout)
    verdict = client.matching("BAD: ", "out")
    expect(status == 1, f"{client.name} ended with status {status}, not 1")
    expect(len(verdict) == 1 and len(verdict[0]) > 5, f"{client.name} says {verdict}, not one reason")
    expect(not client.matching("OK"), f"{client.name} says OK, too")
    expect(containing in verdict[0], f"{verdict[0]!r} does not name {containing!r}")
    no_backtrace(client)
    return verdict[0]


def no_backtrace(program):
    found = BACKTRACE.search(program.text())
    expect(not found, f"{program.name} shows {found.group(0) if found else ''!r}")


def good_client(kit, server, name):
    """The server's own client finds it well."""
    return expect_ok(start_client(kit, pair_of(name)[0], server.port, *client_flags(kit, name)))


@contextlib.contextmanager
def surviving(kit, name, **options):
    """A server that, whatever happens inside, serves afterwards, holds no more descriptors and ends well."""
    server = start_server(kit, name, **options)
    good_client(kit, server, name)  # what is opened once, for good, is open now
    server.wait_line("lost: ")
    before = server.descriptors()
    yield server
    wait_until(lambda: server.descriptors() <= before, f"{name} holds more than {before} descriptors", 15)
    losses = len(server.matching("lost: "))
    good_client(kit, server, name)
    server.wait_line("lost: ", count=losses + 1)
    server.ends_well()
    no_backtrace(server)


def losses(server, count, pattern):
    """Waits for `count` connections to be over, after the first one of `surviving`; all must match."""
    server.wait_line("lost: ", count=count + 1)
    found = server.matching("lost: ", "out")[1:count + 1]
    for line in found:
        expect(re.match(pattern, line), f"{line!r} where {pattern!r} is due")
    return found


def descriptor_limit(soft):
    """For Program's `limits`: so many descriptors for the child."""
    def apply():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft is None else min(soft, hard), hard))
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return apply
