"""Nested TLS against the same on Python Twisted, built on the answer's data structure."""

from harness.cases import add_case

from examples.steps import (expect_ok, expect_states, onion_client_flags, onion_server_flags, start_client,
                            up_and_down)

from . import needs
from .needs import PEERS

CYCLES = 2


def _expect_way(programs, depth):
    for program in programs:
        expect_states(program, up_and_down(depth, CYCLES))


def our_client(kit, depth, pinned):
    """Their server loses what stands behind the outermost close_notify, so our client lets it settle."""
    needs.twisted()
    server = kit.serve("onion_server", *onion_server_flags(kit.certs), *pinned, folder=PEERS)
    client = start_client(kit, "onion_client", server.port, *onion_client_flags(kit.certs, depth, CYCLES),
                          "--settle-ms", 100)
    expect_ok(client)
    server.wait_line("lost: clean$")
    _expect_way([client, server.program], depth)


def our_server(kit, depth, pinned):
    """Their client waits after each pop, for the same reason."""
    needs.twisted()
    server = kit.serve("onion_server", *onion_server_flags(kit.certs))
    client = start_client(kit, "onion_client", server.port, *onion_client_flags(kit.certs, depth, CYCLES), *pinned,
                          "--settle-ms", 100, folder=PEERS)
    expect_ok(client)
    server.wait_line("lost: clean$")
    _expect_way([client, server.program], depth)
    server.ends_well()


for layers in range(4):
    for version in ("1.2", "1.3") if layers else ("",):
        tls = ["--tls", version] if version else []
        ending = f"/{version}" if version else ""
        add_case("onion", f"onion_client/twisted/depth-{layers}{ending}", our_client, layers, tls)
        add_case("onion", f"onion_server/twisted/depth-{layers}{ending}", our_server, layers, tls)
