"""A server of several host names, with OpenSSL's and curl's clients, while its files change."""

import os
import pathlib
import shutil
import subprocess

from harness.cases import add_case, case
from harness.layers import Layered, client_context
from harness.programs import Skipped, expect
from harness.sockets import wait_until

from .bad_input import complains

PROGRAM = "echoserv_sni"


def put(source, target):
    """At one go, as those do who renew certificates."""
    new = target.with_suffix(".new")
    shutil.copy(source, new)
    os.replace(new, target)


def folder_of(kit, default=True):
    """other.pem is for wrong.example, the default for example.com."""
    folder = kit.scratch / "certificates"
    folder.mkdir()
    put(kit.certs.wrong_host, folder / "other.pem")
    if default:
        put(kit.certs.server, folder / "default.pem")
    return folder


def serve(kit, folder, *flags):
    return kit.serve(PROGRAM, "--certificates", folder, *flags)


def tool(name):
    found = shutil.which(name)
    if found is None:
        raise Skipped(f"there is no {name}")
    return found


def openssl_shows(server, name, *flags):
    """The subject that openssl s_client gets to see; None if there is no connection."""
    asked = ["-servername", name] if name else ["-noservername"]
    done = subprocess.run([tool("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", *asked, *flags],
                          input="", capture_output=True, text=True, timeout=20, check=False)
    subjects = [line for line in done.stdout.splitlines() if line.startswith("subject=")]
    return subjects[0].rpartition("=")[2].strip() if subjects else None


def by_name(kit, version):
    server = serve(kit, folder_of(kit))
    expect(server.matching("serves: ") == ["serves: example.com", "serves: wrong.example"], "the names are not told")
    for name, subject in (("wrong.example", "wrong.example"), ("WRONG.example", "wrong.example"),
                          ("example.com", "example.com"), ("unknown.example", "example.com"), (None, "example.com")):
        seen = openssl_shows(server, name, version)
        expect(seen == subject, f"{name} gets to see {seen}")
    server.ends_well()


add_case("server_names", "server_names/openssl/1.2", by_name, "-tls1_2")
add_case("server_names", "server_names/openssl/1.3", by_name, "-tls1_3")


@case("server_names", "server_names/curl")
def curl_verifies(kit):
    """curl gets its own request back and would wait for more: its time limit ends it."""
    server = serve(kit, folder_of(kit))
    for name, status in (("wrong.example", 28), ("example.com", 28), ("unknown.example", 60)):
        done = subprocess.run(
            [tool("curl"), "-sS", "--http0.9", "--max-time", "1", "--cacert", kit.certs.ca, "--noproxy", "*",
             "--resolve", f"{name}:{server.port}:127.0.0.1", f"https://{name}:{server.port}/"],
            capture_output=True, text=True, timeout=20, check=False)
        expect(done.returncode == status, f"{name}: curl ended with status {done.returncode}: {done.stderr}")
        expect((f"Host: {name}" in done.stdout) == (status == 28), f"{name}: {done.stdout!r}")
    server.ends_well()


@case("server_names", "server_names/refused")
def refused_without_a_default(kit):
    server = serve(kit, folder_of(kit, default=False))
    expect(openssl_shows(server, "example.com") is None, "a stranger gets a certificate")
    server.wait_line("lost: unclean: The client asks for the server name 'example.com'")
    expect(openssl_shows(server, None) is None, "who asks for nobody gets a certificate")
    expect(openssl_shows(server, "wrong.example") == "wrong.example", "it serves nobody any more")
    server.ends_well()


@case("server_names", "server_names/reload")
def reload_under_a_live_connection(kit):
    folder = folder_of(kit)
    server = serve(kit, folder, "--reload", "1")
    end = Layered.to(server.port)
    before = end.push(client_context(kit.certs.ca), "example.com").getpeercert()
    expect(end.ask(b"one") == b"one", "no echo")

    put(kit.certs.layer1, folder / "default.pem")
    put(kit.certs.client, folder / "new.pem")
    (folder / "other.pem").unlink()
    server.wait_line(r".*the certificates of '.*' were read again: 2 names are served")
    expect(openssl_shows(server, "client.example") == "a client", "the new file is not served")
    expect(openssl_shows(server, "unknown.example") == "layer1.example", "the new default is not served")
    expect(openssl_shows(server, "wrong.example") == "layer1.example", "the file that is gone is still served")
    expect(end.ask(b"two") == b"two", "the connection did not outlive the reload")
    expect(end.layers[0].tls.getpeercert() == before, "the connection changed its certificate")
    end.close_layer()
    expect(end.ended_cleanly(), "no clean end")
    end.close()
    server.wait_line("lost: clean$")
    server.ends_well()


@case("server_names", "server_names/reload-broken")
def broken_files_change_nothing(kit):
    folder = folder_of(kit)
    server = serve(kit, folder, "--reload", "1")
    put(kit.certs.garbage, folder / "other.pem")
    put(kit.certs.mismatched, folder / "default.pem")
    server.wait_line(r".*other\.pem: This is not PEM data.*what was served before is kept")
    server.wait_line(r".*default\.pem: Certificate public and private keys do not match.*what was served before is kept")
    expect(openssl_shows(server, "wrong.example") == "wrong.example", "the old certificate is not served")
    expect(openssl_shows(server, None) == "example.com", "the old default is not served")
    put(kit.certs.layer1, folder / "default.pem")
    wait_until(lambda: openssl_shows(server, None) == "layer1.example", "the good file is not served", 10)
    server.ends_well()


@case("server_names", "server_names/bad-input")
def faults_at_the_start(kit):
    folder = folder_of(kit)
    missing = kit.scratch / "nowhere"
    complains(kit.start(PROGRAM, "--port", 0, "--certificates", missing), missing, "No such file")
    put(kit.certs.garbage, folder / "broken.pem")
    put(kit.certs.other_server, folder / "twice.pem")
    complains(kit.start(PROGRAM, "--port", 0, "--certificates", folder), folder, "broken.pem: This is not PEM",
              "twice.pem: its name 'example.com' is served from")
    empty = kit.scratch / "empty"
    empty.mkdir()
    complains(kit.start(PROGRAM, "--port", 0, "--certificates", empty), empty, "no file whose name ends in .pem")
    complains(kit.start(PROGRAM, "--reload", "soon"), "--reload")
    expect(not pathlib.Path(missing).exists(), "it made the folder")
