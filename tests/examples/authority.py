"""The authority for development: what it makes is strictly right, is served and accepted, and nothing gets lost."""

import os
import pathlib
import stat
import subprocess

from harness.cases import add_case, case
from harness.programs import expect

from .steps import expect_bad, expect_ok, no_backtrace, start_client

PROGRAM = "certificate_authority"
KINDS = ["rsa", "ec", "ed25519"]


def run(kit, *arguments, status=0):
    program = kit.start(PROGRAM, *arguments)
    ended = program.wait(30)
    no_backtrace(program)
    expect(ended == status, f"{arguments[0] if arguments else 'nothing'} ended with status {ended}, not {status}")
    return program


def refuses(kit, *arguments, wanted, status=1):
    """One line that names all that is wanted."""
    program = run(kit, *arguments, status=status)
    errors = program.errors()
    expect(len(errors) == 1, f"{len(errors)} lines instead of one: {errors}")
    for word in wanted:
        expect(str(word).lower() in errors[0].lower(), f"{errors[0]!r} does not name {word!r}")


def openssl(*arguments, good=True):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)
    said = done.stdout + done.stderr
    expect((done.returncode == 0) == good, f"openssl {' '.join(map(str, arguments))}: {said.strip()}")
    return said


def strictly(folder, path, purpose="sslserver", good=True):
    openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", folder / "public.pem", path, good=good)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def new_authority(kit, *flags):
    folder = kit.scratch / "ca"
    run(kit, "init", folder, *flags)
    return folder


def made_and_served(kit, kind):
    folder = new_authority(kit, "--key", kind, "--name", f"Authority of {kind}")
    for name in ("authority.pem", "public.pem"):
        strictly(folder, folder / name, "any")
    expect("PRIVATE" not in (folder / "public.pem").read_text(), "public.pem holds the key")
    run(kit, "issue", folder, "example.com", "127.0.0.1", "--key", kind)
    path = folder / "example.com.pem"
    strictly(folder, path)
    strictly(folder, path, "sslclient", good=False)
    expect(mode(folder) == 0o700 and mode(folder / "authority.pem") == 0o600 and mode(path) == 0o600, "others may read")

    server = kit.serve("echoserv_ssl", "--cert", path)
    ca = folder / "public.pem"
    expect_ok(start_client(kit, "echoclient_ssl", server.port, "--hostname", "example.com", "--ca", ca))
    expect_ok(start_client(kit, "echoclient_ssl", server.port, "--hostname", "127.0.0.1", "--ca", ca))
    expect_bad(start_client(kit, "echoclient_ssl", server.port, "--hostname", "other.example", "--ca", ca))
    for version in ("-tls1_2", "-tls1_3"):
        said = openssl("s_client", "-connect", f"127.0.0.1:{server.port}", version, "-verify_return_error",
                       "-verify_hostname", "example.com", "-CAfile", ca)
        expect("Verify return code: 0 (ok)" in said, said)
    server.ends_well()


for kind_of_key in KINDS:
    add_case("authority", f"made-and-served/{kind_of_key}", made_and_served, kind_of_key)


@case("authority", "curl")
def accepted_by_curl(kit):
    folder = new_authority(kit)
    run(kit, "issue", folder, "b\u00fccher.example", "--out", kit.scratch / "server.pem")
    server = kit.serve("echoserv_ssl", "--cert", kit.scratch / "server.pem")
    name = "xn--bcher-kva.example"
    # The echo of a request is no HTTP answer, unless for one of HTTP/0.9: what counts is that TLS was accepted.
    curl = kit.run(["curl", "--silent", "--show-error", "--no-buffer", "--http0.9", "--max-time", "20", "--cacert",
                    folder / "public.pem", "--resolve", f"{name}:{server.port}:127.0.0.1",
                    f"https://{name}:{server.port}/question"])
    curl.wait_line("GET /question")


@case("authority", "client-certificate")
def client_certificate(kit):
    folder = new_authority(kit)
    run(kit, "issue", folder, "example.com")
    run(kit, "issue", folder, "alice", "--client")
    strictly(folder, folder / "alice.pem", "sslclient")
    strictly(folder, folder / "alice.pem", "sslserver", good=False)
    server = kit.serve("ssl_clientauth_server", "--cert", folder / "example.com.pem", "--client-ca",
                       folder / "public.pem")
    flags = ["--hostname", "example.com", "--ca", folder / "public.pem", "--cert"]
    expect_ok(start_client(kit, "ssl_clientauth_client", server.port, *flags, folder / "alice.pem"))
    expect_bad(start_client(kit, "ssl_clientauth_client", server.port, *flags, folder / "example.com.pem"))


@case("authority", "request-and-sign")
def request_and_sign(kit):
    folder = new_authority(kit)
    base = kit.scratch / "leaf"
    run(kit, "request", "example.com", "*.example.com", "::1", "--key", "ed25519", "--out", base)
    expect(mode(f"{base}.key") == 0o600, "others may read the key")
    openssl("req", "-verify", "-noout", "-in", f"{base}.csr")
    signer = run(kit, "sign", folder, f"{base}.csr", "--days", 7)
    expect(signer.matching("name: ") == ["name: example.com", "name: *.example.com", "name: ::1"], signer.text())
    strictly(folder, f"{base}.crt")
    openssl("x509", "-in", f"{base}.crt", "-noout", "-checkend", 6 * 86400)
    openssl("x509", "-in", f"{base}.crt", "-noout", "-checkend", 8 * 86400, good=False)
    joined = kit.scratch / "server.pem"
    joined.write_text(pathlib.Path(f"{base}.key").read_text() + pathlib.Path(f"{base}.crt").read_text())
    server = kit.serve("echoserv_ssl", "--cert", joined)
    expect_ok(start_client(kit, "echoclient_ssl", server.port, "--hostname", "www.example.com", "--ca",
                           folder / "public.pem"))


@case("authority", "foreign-request")
def foreign_request(kit):
    """A request that the openssl program made; its wish to be an authority is not granted."""
    folder = new_authority(kit)
    request = kit.scratch / "foreign.csr"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", kit.scratch / "foreign.key", "-out", request, "-subj",
            "/C=DE/O=Example Ltd/OU=one/OU=two/CN=foreign.example", "-addext", "subjectAltName=DNS:foreign.example",
            "-addext", "basicConstraints=CA:TRUE")
    run(kit, "sign", folder, request)
    strictly(folder, kit.scratch / "foreign.crt")
    said = openssl("x509", "-in", kit.scratch / "foreign.crt", "-noout", "-text")
    expect("CA:FALSE" in said and "CA:TRUE" not in said, said)
    expect("OU = one, OU = two" in said, said)


@case("authority", "passphrase")
def passphrase(kit):
    secret, wrong = kit.scratch / "secret", kit.scratch / "wrong"
    secret.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    folder = new_authority(kit, "--passphrase-file", secret)
    expect("ENCRYPTED PRIVATE KEY" in (folder / "authority.pem").read_text(), "the key is not encrypted")
    path = folder / "authority.pem"
    refuses(kit, "issue", folder, "a.example", wanted=[path, "--passphrase-file"])
    refuses(kit, "issue", folder, "a.example", "--passphrase-file", wrong, wanted=[path, "passphrase is wrong"])
    run(kit, "issue", folder, "a.example", "--passphrase-file", secret)
    strictly(folder, folder / "a.example.pem")
    openssl("pkey", "-in", path, "-passin", f"file:{secret}", "-noout")


@case("authority", "nothing-is-overwritten")
def nothing_is_overwritten(kit):
    folder = new_authority(kit)
    before = (folder / "authority.pem").read_text()
    refuses(kit, "init", folder, wanted=[folder / "authority.pem", "there already"])
    run(kit, "issue", folder, "a.example")
    refuses(kit, "issue", folder, "a.example", wanted=[folder / "a.example.pem", "there already"])
    base = kit.scratch / "b"
    run(kit, "request", "b.example", "--out", base)
    refuses(kit, "request", "b.example", "--out", base, wanted=[f"{base}.key", "there already"])
    run(kit, "sign", folder, f"{base}.csr")
    refuses(kit, "sign", folder, f"{base}.csr", wanted=[f"{base}.crt", "there already"])
    expect((folder / "authority.pem").read_text() == before, "the authority changed")


@case("authority", "failures-say-what-and-where")
def failures(kit):
    folder = new_authority(kit)
    missing = kit.scratch / "nowhere"
    refuses(kit, "issue", missing, "a.example", wanted=[missing, "No such file"])
    refuses(kit, "issue", folder, "not a name", wanted=["not a name", "letters, digits"])
    refuses(kit, "issue", folder, "\u2603.example", wanted=["\u2603.example", "disallowed character"])
    refuses(kit, "issue", folder, "a.example", "--out", missing / "a.pem", wanted=[missing / "a.pem", "No such file"])
    refuses(kit, "sign", folder, missing, wanted=[missing, "No such file"])
    refuses(kit, "sign", folder, kit.certs.ca, wanted=[kit.certs.ca, "no certificate request"])
    garbage = kit.scratch / "garbage.csr"
    garbage.write_text("garbage")
    refuses(kit, "sign", folder, garbage, wanted=[garbage, "not PEM"])
    nameless = kit.scratch / "nameless.csr"
    openssl("req", "-newkey", "ed25519", "-nodes", "-keyout", kit.scratch / "key", "-out", nameless, "-subj", "/CN=a")
    refuses(kit, "sign", folder, nameless, wanted=[nameless, "no name"])
    run(kit, "sign", folder, nameless, "--client")


@case("authority", "usage-is-status-64")
def usage(kit):
    folder = kit.scratch / "ca"
    for wrong in ([], ["destroy"], ["init"], ["init", folder, "--key", "dsa"], ["init", folder, "--days", "0"],
                  ["issue", folder], ["issue", folder, "a.example", "--days", "36501"], ["sign", folder],
                  ["request"], ["init", folder, "--no-such"]):
        refuses(kit, *wrong, wanted=[PROGRAM], status=64)
    expect(not folder.exists(), "something was written")
    for right in (["--help"], ["issue", "--help"]):
        expect("--help" in run(kit, *right).text("out"), "no help")
