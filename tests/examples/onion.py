"""TLS layers put on and taken off: our two ends against each other and against an end made by hand."""

from harness.cases import add_case, case
from harness.layers import Layered, client_context
from harness.programs import expect

from .steps import (expect_bad, expect_ok, expect_states, onion_client_flags, onion_server_flags, start_client,
                    up_and_down)


def _serve(kit):
    return kit.serve("onion_server", *onion_server_flags(kit.certs))


def climbs(kit, depth, cycles):
    """Against itself, without settling time: everything said at every depth arrives, at the depth it was meant for."""
    server = _serve(kit)
    client = start_client(kit, "onion_client", server.port, *onion_client_flags(kit.certs, depth, cycles))
    expect_ok(client)
    server.wait_line("lost: clean")
    said = [line[len("received: "):] for line in server.matching("received: ", "out")]
    for cycle in range(cycles):
        wanted = [f"up {d} {cycle}" for d in range(0 if cycle == 0 else 1, depth + 1)]
        wanted += [f"down {d} {cycle}" for d in reversed(range(depth))]
        ours = [line for line in said if line.endswith(f" {cycle}") and (cycle == 0 or line != f"up 0 {cycle}")]
        expect(ours == wanted, f"cycle {cycle}: the server received {ours}, not {wanted}")
    for who in (client, server):
        expect_states(who, up_and_down(depth, cycles))
    for line in client.matching("state: [1-9]"):
        _, layer, version, cipher, name = line.split()
        expect(version == "TLSv1.3" and cipher.startswith("TLS_"), f"client: {line}")
        expect(name == f"layer{layer}.example", f"client: {line}")
    server.ends_well()


for layers in range(4):
    for times in (1, 2):
        add_case("onion", f"onion/depth-{layers}/cycles-{times}", climbs, layers, times)


def layer_refused(kit, bad_layer):
    """A layer that does not verify ends the whole connection; nothing more is said in the layer below."""
    server = _serve(kit)
    flags = onion_client_flags(kit.certs, 3, 1)
    flags[flags.index(kit.certs.folder.joinpath(f"layer{bad_layer}_public.pem").as_posix())] = kit.certs.other_ca
    expect_bad(start_client(kit, "onion_client", server.port, *flags))
    server.wait_line("lost: unclean: .")
    said = server.matching("received: ", "out")
    expect(said and said[-1] == "received: PUSH", f"the last line that the server received is {said[-1:]}")


def layer_misnamed(kit, bad_layer):
    server = _serve(kit)
    flags = onion_client_flags(kit.certs, 3, 1)
    flags[flags.index(f"layer{bad_layer}.example")] = "other.example"
    expect_bad(start_client(kit, "onion_client", server.port, *flags))
    server.wait_line("lost: unclean: .")
    expect(server.matching("received: ", "out")[-1] == "received: PUSH", "the server got a line after the failure")


for layers in (1, 2, 3):
    add_case("onion", f"onion/refuses/authority-{layers}", layer_refused, layers)
    add_case("onion", f"onion/refuses/hostname-{layers}", layer_misnamed, layers)


def _layer(kit, end):
    n = end.depth + 1
    end.push_by_lines(client_context(getattr(kit.certs, f"layer{n}_public")), f"layer{n}.example")


def line_behind_close_notify(kit, depth):
    """Our close_notify and the next line of the layer below leave in one segment; the line must arrive there."""
    server = _serve(kit)
    end = Layered.to(server.port)
    for _ in range(2):
        for _ in range(depth):
            _layer(kit, end)
        for below in reversed(range(depth)):
            line = f"down {below}".encode()
            end.pop(then=line + b"\r\n")
            expect(end.read_line() == line, f"no echo at depth {below}")
    end.close()
    server.wait_line("lost: clean")
    server.ends_well()


for layers in (1, 2, 3):
    add_case("onion", f"onion/line-behind-close_notify/{layers}", line_behind_close_notify, layers)


@case("onion", "onion/passive-pop")
def passive_pop(kit):
    """A client that closes a layer without asking takes it off, too."""
    server = _serve(kit)
    end = Layered.to(server.port)
    _layer(kit, end)
    end.take_layer_off()
    expect(end.ask(b"in the clear") == b"in the clear", "the server does not answer at depth 0")
    server.wait_line("state: 0 plain", count=2)


@case("onion", "onion/pop-at-depth-0")
def pop_at_the_bottom(kit):
    end = Layered.to(_serve(kit).port)
    expect(end.ask(b"POP") == b"POP", "POP at depth 0 is a line like any other")


def fin_under_layers(kit, depth):
    server = _serve(kit)
    end = Layered.to(server.port)
    for _ in range(depth):
        _layer(kit, end)
    expect(end.ask(b"deep") == b"deep", "no echo")
    end.close()
    server.wait_line("lost: unclean: .")


@case("onion", "onion/close_notify-under-a-layer")
def outer_layer_closed_first(kit):
    """close_notify on a layer that carries others: unclean, and nothing that follows is delivered."""
    server = _serve(kit)
    end = Layered.to(server.port)
    _layer(kit, end)
    _layer(kit, end)
    outer = end.layers[0]
    try:
        outer.tls.unwrap()
    except Exception:
        pass  # the peer's close_notify is not there yet
    end.sock.sendall(outer.outgoing.read() + b"never to be seen\r\n")
    server.wait_line("lost: unclean: .")
    expect("never to be seen" not in server.text(), "the server took a line from under its layers")


for layers in (1, 2, 3):
    add_case("onion", f"onion/fin-under-{layers}-layers", fin_under_layers, layers)


@case("onion", "onion/sigterm-under-layers")
def sigterm_under_layers(kit):
    server = _serve(kit)
    end = Layered.to(server.port)
    _layer(kit, end)
    _layer(kit, end)
    expect(end.ask(b"deep") == b"deep", "no echo")
    server.ends_well()
    end.ended_cleanly()
    expect(len(server.matching("lost: ", "out")) == 1, f"the server says {server.matching('lost: ')}")
