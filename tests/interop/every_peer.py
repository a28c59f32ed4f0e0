"""The peers of the matrix in docs/interop.md, each in its roles behind the same few words."""

from examples.steps import TRUST, start_client

from . import needs, tools
from .needs import PEERS

VERSIONS = ("1.2", "1.3")
CLIENTS = ("openssl", "gnutls", "curl", "twisted")
SERVERS = ("openssl", "gnutls", "twisted")

_TOOL_CLIENTS = {"openssl": tools.openssl_client, "gnutls": tools.gnutls_client, "curl": tools.curl_client}
_TOOL_SERVERS = {"openssl": tools.openssl_server, "gnutls": tools.gnutls_server}


def _client_protocols(peer, names):
    if peer == "openssl":
        return ["-alpn", ",".join(names)]
    return [part for name in names for part in ("--alpn", name)]


def client(kit, peer, port, version, certificate=None, protocols=(), more=()):
    """A client that sends what its stdin gets and prints what comes back; curl sends a request of its own instead.

    protocols: what it offers. curl knows only ("http/1.1",), ("h2", "http/1.1") and nothing.
    """
    if peer == "twisted":
        needs.twisted()
        own = ["--cert", certificate] if certificate else []
        offer = ["--protocols", ",".join(protocols)] if protocols else []
        return start_client(kit, "tls_client", port, *TRUST["tls"](kit.certs)[1], "--tls", version, *own, *offer,
                            folder=PEERS)
    if peer == "curl":
        offer = {(): ["--no-alpn"], ("http/1.1",): [], ("h2", "http/1.1"): ["--http2"]}[tuple(protocols)]
        more = [*offer, "--max-time", "10", *more]
    elif protocols:
        more = [*_client_protocols(peer, protocols), *more]
    return _TOOL_CLIENTS[peer](kit, port, version, certificate=certificate, more=more)


def server(kit, peer, version, protocols=(), silent=False, more=()):
    """A server that gives back what comes or, if silent, nothing that our clients take for a line; (program, port)."""
    if peer == "twisted":
        needs.twisted()
        offer = ["--protocols", ",".join(protocols)] if protocols else []
        started = kit.serve("tls_server", "--cert", kit.certs.server, "--tls", version, *offer,
                            *(["--silent"] if silent else []), folder=PEERS)
        return started.program, started.port
    more = [*(_client_protocols(peer, protocols) if protocols else []), *more]
    if peer == "openssl":
        return tools.openssl_server(kit, version, more=more, echo=not silent)
    # Without --crlf its echo has lines without CR, which end none of our lines.
    mode = ["--echo"] if silent else ["--echo", "--crlf"]
    return tools.gnutls_server(kit, version, more=["--disable-client-cert", *more], mode=mode)


def client_authentication_server(kit, peer, version):
    """One that wants a certificate of kit.certs.ca."""
    if peer == "twisted":
        needs.twisted()
        started = kit.serve("ssl_clientauth_server", *TRUST["clientauth"](kit.certs)[0], "--tls", version, folder=PEERS)
        return started.program, started.port
    demand = {"openssl": ["-Verify", "1", "-verify_return_error", "-CAfile", kit.certs.ca],
              "gnutls": ["--require-client-cert", "--verify-client-cert", "--x509cafile", kit.certs.ca]}
    return _TOOL_SERVERS[peer](kit, version, more=demand[peer])
