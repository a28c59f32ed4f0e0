"""Mistakes of the one who types the command: one line that says what and where, and a status other than 0."""

import os
import pathlib
import socket

from harness.cases import add_case, case
from harness.programs import expect

from .steps import PAIRS, TRUST, no_backtrace

TLS_SERVERS = ["echoserv_ssl", "starttls_server", "ssl_clientauth_server", "tls_alpn_server", "onion_server"]
SERVERS = [server for server, _, _ in PAIRS]
CLIENTS = [client for _, client, _ in PAIRS] + ["check_server_certificate"]


def complains(program, *wanted, timeout=20):
    """It ends by itself, and one line names all that is wanted. A client's `BAD:` counts as well as stderr."""
    status = program.wait(timeout)
    expect(status not in (0, None), "status 0")
    expect(status > 0, f"it was ended by signal {-status}")
    no_backtrace(program)
    errors, verdict = program.errors(), program.matching("BAD: ", "out")
    expect(len(errors) <= 1 and len(verdict) <= 1, f"{len(errors) + len(verdict)} lines instead of one")
    for line in errors + verdict:
        if all(word.lower() in line.lower() for word in map(str, wanted)):
            return
    expect(False, f"no line names {' and '.join(map(str, wanted))}: {errors + verdict}")


def bad_pem(kit, name, make_path, *wanted):
    path = make_path(kit)
    flags = ["--client-ca", kit.certs.ca] if name == "ssl_clientauth_server" else []
    complains(kit.start(name, "--port", 0, "--cert", path, *flags), path, *wanted)


def missing(kit):
    return kit.scratch / "nowhere.pem"


def unreadable(kit):
    path = kit.scratch / "secret.pem"
    path.write_text(pathlib.Path(kit.certs.server).read_text())
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything, but not a directory
        path.unlink()
        path.mkdir()
    return path


def of_certs(name):
    return lambda kit: getattr(kit.certs, name)


for server_name in TLS_SERVERS:
    add_case("bad_input", f"pem-missing/{server_name}", bad_pem, server_name, missing, "No such file")
    add_case("bad_input", f"pem-unreadable/{server_name}", bad_pem, server_name, unreadable)
    add_case("bad_input", f"pem-mismatched/{server_name}", bad_pem, server_name, of_certs("mismatched"))
    add_case("bad_input", f"pem-garbage/{server_name}", bad_pem, server_name, of_certs("garbage"))
    add_case("bad_input", f"pem-without-key/{server_name}", bad_pem, server_name, of_certs("no_key"))
    add_case("bad_input", f"pem-without-certificate/{server_name}", bad_pem, server_name, of_certs("no_certificate"))


def bad_ca(kit, name, make_path):
    path = make_path(kit)
    depth = ["--depth", 1, "--cycles", 1] if name == "onion_client" else []
    complains(kit.start(name, "--host", "127.0.0.1", "--port", 1, "--hostname", "example.com", "--ca", path, *depth),
              path)


for client_name in CLIENTS[2:]:
    add_case("bad_input", f"ca-missing/{client_name}", bad_ca, client_name, missing)
    add_case("bad_input", f"ca-garbage/{client_name}", bad_ca, client_name, of_certs("garbage"))


@case("bad_input", "client-ca-missing/ssl_clientauth_server")
def missing_client_ca(kit):
    path = missing(kit)
    complains(kit.start("ssl_clientauth_server", "--port", 0, "--cert", kit.certs.server, "--client-ca", path), path)


@case("bad_input", "cert-missing/ssl_clientauth_client")
def missing_client_certificate(kit):
    path = missing(kit)
    complains(kit.start("ssl_clientauth_client", "--host", "127.0.0.1", "--port", 1, "--hostname", "example.com",
                        "--ca", kit.certs.ca, "--cert", path), path)


def port_in_use(kit, name, kind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        complains(kit.start(name, "--port", port, *TRUST[kind](kit.certs)[0]), port, "in use")


for server_name, _, trust in PAIRS:
    add_case("bad_input", f"port-in-use/{server_name}", port_in_use, server_name, trust)


def bad_endpoint(kit, text, *wanted):
    complains(kit.start("line_client", text), *wanted)


add_case("bad_input", "endpoint/unknown-type", bad_endpoint, "nonsense:localhost:1", "nonsense")
add_case("bad_input", "endpoint/no-port", bad_endpoint, "tcp:localhost", "port")
add_case("bad_input", "endpoint/bad-port", bad_endpoint, "tcp:localhost:zzz", "zzz")
add_case("bad_input", "endpoint/unknown-argument", bad_endpoint, "tcp:localhost:1:colour=red", "colour")
add_case("bad_input", "endpoint/empty", bad_endpoint, "")
add_case("bad_input", "endpoint/unknown-host", bad_endpoint, "tcp:no-such-host.invalid:1", "no-such-host.invalid")


def unknown_host(kit, name, kind):
    flags = TRUST[kind](kit.certs)[1]
    complains(kit.start(name, "--host", "no-such-host.invalid", "--port", 1, *flags), "no-such-host.invalid",
              timeout=45)


for _, client_name, trust in PAIRS:
    add_case("bad_input", f"unknown-host/{client_name}", unknown_host, client_name, trust)


@case("bad_input", "unknown-host/ssl_demo")
def demo_unknown_host(kit):
    complains(kit.start("ssl_demo", "client", "no-such-host.invalid", 1), "no-such-host.invalid", timeout=45)


def unknown_flag(kit, name, *first):
    complains(kit.start(name, *first, "--colour"), "--colour")


def bad_port(kit, name, value):
    complains(kit.start(name, "--port", value), value)


for program_name in SERVERS + CLIENTS + ["line_client"]:
    add_case("bad_input", f"unknown-flag/{program_name}", unknown_flag, program_name)
for program_name in ("echoserv", "echoclient"):
    for number in ("65536", "-1", "http"):
        add_case("bad_input", f"bad-port/{program_name}/{number}", bad_port, program_name, number)
add_case("bad_input", "unknown-flag/ssl_demo", unknown_flag, "ssl_demo", "client", "localhost", "1")


@case("bad_input", "bad-host/echoserv")
def host_that_is_not_ours(kit):
    complains(kit.start("echoserv", "--port", 0, "--host", "192.0.2.1"), "192.0.2.1")
