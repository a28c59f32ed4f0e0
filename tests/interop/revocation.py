"""Stapled OCSP responses, revocation lists and pins, against OpenSSL's tools and curl."""

import base64
import hashlib
import subprocess

from harness.cases import add_case
from harness.programs import expect

from examples.steps import start_client

from . import needs, tools

VERSIONS = ("1.2", "1.3")
# An index as `openssl ca` keeps it.
_GOOD = "V\t20991231235959Z\t\t{serial}\tunknown\t/CN=example.com\n"
_REVOKED = "R\t20991231235959Z\t240101000000Z,keyCompromise\t{serial}\tunknown\t/CN=example.com\n"


def _openssl(*arguments):
    done = subprocess.run([needs.tool("openssl"), *map(str, arguments)], capture_output=True, timeout=60, check=False)
    expect(done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _public(pem):
    return pem.replace(".pem", "_public.pem")


def _index(kit, line):
    serial = _openssl("x509", "-in", _public(kit.certs.server), "-noout", "-serial").decode().strip().split("=")[1]
    index = kit.scratch / "index.txt"
    index.write_text(line.format(serial=serial))
    return index


def _authority_key(kit):
    return kit.certs.ca.replace(".pem", ".key")


def response(kit, line=_GOOD):
    """An OCSP response about server.pem by its authority, as `openssl ocsp` answers a request."""
    request, answer = kit.scratch / "request.der", kit.scratch / "response.der"
    _openssl("ocsp", "-issuer", kit.certs.ca, "-cert", _public(kit.certs.server), "-no_nonce", "-reqout", request)
    _openssl("ocsp", "-index", _index(kit, line), "-CA", kit.certs.ca, "-rsigner", kit.certs.ca, "-rkey",
             _authority_key(kit), "-reqin", request, "-respout", answer, "-ndays", 1)
    return answer


def revocation_list(kit, line):
    """A list of the authority's, as `openssl ca -gencrl` makes it."""
    configuration, made = kit.scratch / "ca.cnf", kit.scratch / "list.pem"
    configuration.write_text("[ca]\ndefault_ca = one\n[one]\n"
                             f"database = {_index(kit, line)}\ndefault_md = sha256\ndefault_crl_days = 1\n")
    _openssl("ca", "-config", configuration, "-gencrl", "-keyfile", _authority_key(kit), "-cert", kit.certs.ca, "-out",
             made)
    return made


def pin(pem):
    key = _openssl("x509", "-in", pem, "-noout", "-pubkey")
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True, timeout=60,
                         check=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def our_staple(kit, version):
    """openssl s_client -status sees what our server staples."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server, "--ocsp-response", response(kit))
    client = kit.run([needs.tool("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", kit.certs.ca,
                      "-status", tools.openssl_version(version)], "openssl s_client")
    client.wait_line(r"\s*OCSP Response Status: successful")
    client.wait_line(r"\s*Cert Status: good")
    client.wait_line(r"\s*Verify return code: 0 \(ok\)")
    tools.finish(client)
    server.ends_well()


def no_staple(kit, version):
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    client = kit.run([needs.tool("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", kit.certs.ca,
                      "-status", tools.openssl_version(version)], "openssl s_client")
    client.wait_line("OCSP response: no response sent")
    tools.finish(client)
    server.ends_well()


def revoked_staple(kit):
    """A server is not started with a response that says revoked: that helps nobody."""
    program = kit.start("echoserv_ssl", "--port", "0", "--cert", kit.certs.server, "--ocsp-response",
                        response(kit, _REVOKED))
    expect(program.wait() == 1, "the server took a response that says revoked")
    expect("was revoked" in program.text("err"), f"the server says {program.text('err')}")


def check(kit, make_server, version, flags, outcome, more=()):
    """What check_server_certificate says of a tool's server."""
    _, port = make_server(kit, version, more=[*more, "-www"], echo=False)
    client = start_client(kit, "check_server_certificate", port, "--hostname", "example.com", "--ca", kit.certs.ca,
                          *flags)
    status = client.wait()
    last = (client.matching("", "out") or [""])[-1]
    good = outcome == "OK: "
    expect(status == (0 if good else 1) and last.startswith("OK: " if good else "BAD: ") and outcome in last,
           f"status {status}: {last!r}, not {outcome!r}")


def their_staple(kit, version, line, outcome):
    check(kit, tools.openssl_server, version, ["--require-staple"], outcome, ["-status_file", response(kit, line)])


def staple_missing(kit, version):
    check(kit, tools.openssl_server, version, ["--require-staple"], "stapled no OCSP response")


def listed(kit, version, line, outcome):
    check(kit, tools.openssl_server, version, ["--crl", revocation_list(kit, line)], outcome)


def pinned(kit, version):
    check(kit, tools.openssl_server, version, ["--pin", "sha256/" + pin(_public(kit.certs.server))], "OK: ")
    check(kit, tools.openssl_server, version, ["--pin", "sha256//" + pin(kit.certs.ca)], "OK: ")
    check(kit, tools.openssl_server, version, ["--pin", "sha256/" + pin(_public(kit.certs.client))],
          "sha256/" + pin(_public(kit.certs.server)))


def pinned_by_curl(kit, version):
    """curl accepts our server by the pin that we would print, and no other."""
    server = kit.serve("echoserv_ssl", "--cert", kit.certs.server)
    right = tools.curl_client(kit, server.port, version, more=["--pinnedpubkey",
                                                               "sha256//" + pin(_public(kit.certs.server))])
    right.wait_line("GET / HTTP/1.1")
    tools.finish(right, (28,))
    wrong = tools.curl_client(kit, server.port, version, more=["--pinnedpubkey",
                                                               "sha256//" + pin(_public(kit.certs.client))])
    expect(wrong.wait() == 90, "curl took another key")
    server.ends_well()


for version in VERSIONS:
    add_case("revocation", f"echoserv_ssl/openssl/{version}/staple", our_staple, version)
    add_case("revocation", f"echoserv_ssl/openssl/{version}/no-staple", no_staple, version)
    add_case("revocation", f"echoserv_ssl/curl/{version}/pin", pinned_by_curl, version)
    add_case("revocation", f"check_server_certificate/openssl/{version}/staple-good", their_staple, version, _GOOD, "OK: ")
    add_case("revocation", f"check_server_certificate/openssl/{version}/staple-revoked", their_staple, version, _REVOKED,
             "was revoked at 2024-01-01 00:00:00 UTC (keyCompromise)")
    add_case("revocation", f"check_server_certificate/openssl/{version}/staple-missing", staple_missing, version)
    add_case("revocation", f"check_server_certificate/openssl/{version}/list-good", listed, version, _GOOD, "OK: ")
    add_case("revocation", f"check_server_certificate/openssl/{version}/list-revoked", listed, version, _REVOKED,
             "certificate revoked")
    add_case("revocation", f"check_server_certificate/openssl/{version}/pins", pinned, version)
add_case("revocation", "echoserv_ssl/staple-revoked", revoked_staple)
