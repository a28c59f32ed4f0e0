"""Command lines of OpenSSL, GnuTLS, socat and curl, as clients and as servers."""

from harness.programs import expect
from harness.sockets import free_port, wait_listening

from . import needs

_OPENSSL = {"1.2": "-tls1_2", "1.3": "-tls1_3", None: "-no_ssl3"}
_GNUTLS = {"1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3", None: "NORMAL"}
_SOCAT = {version: f"openssl-min-proto-version=TLS{version},openssl-max-proto-version=TLS{version}"
          for version in ("1.2", "1.3")}
_CURL = {"1.2": ["--tlsv1.2", "--tls-max", "1.2"], "1.3": ["--tlsv1.3", "--tls-max", "1.3"]}


def openssl_version(version):
    """The flag of s_client and s_server that has them speak this version only."""
    return _OPENSSL[version]


def _key_and_certificate(pem):
    return pem.replace(".pem", ".key"), pem.replace(".pem", "_public.pem")


# Clients: all verify the server against ca for the given name. Their stdin goes to the server.

def openssl_client(kit, port, version, name="example.com", certificate=None, more=()):
    own = ["-cert", certificate, "-key", certificate] if certificate else []
    return kit.run([needs.tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", kit.certs.ca,
                    "-verify_return_error", "-verify_hostname", name, "-servername", name, "-quiet", "-no_ign_eof",
                    _OPENSSL[version], *own, *more], "openssl s_client")


def gnutls_client(kit, port, version, name="example.com", certificate=None, more=()):
    own = []
    if certificate:
        key, public = _key_and_certificate(certificate)
        own = ["--x509keyfile", key, "--x509certfile", public]
    return kit.run([needs.tool("gnutls-cli"), "--x509cafile", kit.certs.ca, "--verify-hostname", name, "--sni-hostname",
                    name, "--priority", _GNUTLS[version], "-p", port, *own, *more, "127.0.0.1"], "gnutls-cli")


def socat_client(kit, port, version, name="example.com", certificate=None):
    own = f",cert={certificate}" if certificate else ",verify=1"
    return kit.run([needs.tool("socat"), "-t", "5", "-",
                    f"OPENSSL:127.0.0.1:{port},cafile={kit.certs.ca},commonname={name},{_SOCAT[version]}{own}"],
                   "socat")


def curl_client(kit, port, version, name="example.com", certificate=None, more=()):
    own = ["--cert", certificate] if certificate else []
    return kit.run([needs.tool("curl"), "-sS", "--max-time", "3", "--http0.9", "--http1.1", "--no-buffer", "--cacert",
                    kit.certs.ca, *_CURL[version], *own, *more, "--resolve", f"{name}:{port}:127.0.0.1",
                    f"https://{name}:{port}/"], "curl")


# Servers: all give back what comes, on a port that was free a moment ago.

def openssl_server(kit, version, certificate=None, more=(), echo=True):
    certificate = certificate or kit.certs.server
    port = free_port()
    key, public = _key_and_certificate(certificate)
    server = kit.run([needs.tool("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", public,
                      "-quiet", _OPENSSL[version], *more], "openssl s_server", echo_back=echo)
    wait_listening(port, server.name)
    return server, port


def gnutls_server(kit, version, certificate=None, more=("--disable-client-cert",), mode=("--echo", "--crlf")):
    certificate = certificate or kit.certs.server
    port = free_port()
    key, public = _key_and_certificate(certificate)
    server = kit.run([needs.tool("gnutls-serv"), "-p", port, "--x509keyfile", key, "--x509certfile", public,
                      "--priority", _GNUTLS[version], *mode, *more], "gnutls-serv")
    wait_listening(port, server.name)
    return server, port


def socat_server(kit, version, certificate=None, more=",verify=0", to="PIPE"):
    certificate = certificate or kit.certs.server
    port = free_port()
    server = kit.run([needs.tool("socat"), "-t", "1", f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,"
                      f"cert={certificate},{_SOCAT[version]}{more}", to], "socat")
    wait_listening(port, server.name)
    return server, port


def talk(client, lines=("one line", "and another")):
    """Sends lines through a tool and wants each of them back."""
    for line in lines:
        client.send(line.encode() + b"\r\n")
        client.wait_line(line.replace(".", r"\.") + "$")


def finish(client, statuses=(0,)):
    client.close_input()
    status = client.wait(15)
    expect(status in statuses, f"{client.name} ended with status {status}")
