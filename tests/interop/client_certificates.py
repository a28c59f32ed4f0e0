"""Client certificates that are missing or not trusted: what we say of the peer, and it of us. Both are heard.

That a good one is taken is shown by the cases ssl_clientauth_server/* and ssl_clientauth_client/* of the topics tools
and twisted.
"""

from harness.cases import add_case
from harness.programs import expect

from examples.steps import TRUST, expect_bad, no_backtrace, start_client

from . import every_peer
from .every_peer import CLIENTS, SERVERS, VERSIONS

# What our server says of such a client.
SAID_BY_US = {
    "missing": "lost: unclean: The peer showed no certificate, and we demand one",
    "untrusted": "lost: unclean: The peer's certificate is not accepted: unable to get local issuer certificate "
                 r"\(subject 'a stranger', depth 0\); its issuer 'Test other_ca' is neither among our trust roots",
}
# The alert that it sends; in TLS 1.2 there is none that names a missing certificate.
ALERTS = {
    ("missing", "1.2"): {"gnutls": "Received alert [40]: Handshake failed", None: "alert handshake failure"},
    ("missing", "1.3"): {"gnutls": "Received alert [116]: Certificate is required", None: "alert certificate required"},
    ("untrusted", "1.2"): {"gnutls": "Received alert [48]: CA is unknown", None: "alert unknown ca"},
    ("untrusted", "1.3"): {"gnutls": "Received alert [48]: CA is unknown", None: "alert unknown ca"},
}


def _certificate(kit, which):
    return kit.certs.stranger if which == "untrusted" else None


def refused_by_us(kit, peer, version, which):
    server = kit.serve("ssl_clientauth_server", *TRUST["clientauth"](kit.certs)[0])
    client = every_peer.client(kit, peer, server.port, version, _certificate(kit, which))
    client.send(b"anybody there?\r\n")
    expect(client.wait(15) != 0, f"{client.name} is content")
    alerts = ALERTS[which, version]
    expect(alerts.get(peer, alerts[None]) in client.text(), f"{client.name} was not told why")
    expect("anybody" not in client.text("out") and "GET /" not in client.text("out"), "an echo all the same")
    server.wait_line(SAID_BY_US[which])
    server.ends_well()
    no_backtrace(server)


# The alert that our client reports. gnutls-serv picks its own.
TOLD_TO_US = {
    ("missing", "1.2"): {"gnutls": "decode_error", None: "handshake_failure"},
    ("missing", "1.3"): {None: "certificate_required"},
    ("untrusted", "1.2"): {"gnutls": "access_denied", None: "unknown_ca"},
    ("untrusted", "1.3"): {"gnutls": "access_denied", None: "unknown_ca"},
}


def refused_by_them(kit, peer, version, which):
    _, port = every_peer.client_authentication_server(kit, peer, version)
    certificate = _certificate(kit, which)
    name = "ssl_clientauth_client" if certificate else "echoclient_ssl"
    own = ["--cert", certificate] if certificate else []
    client = start_client(kit, name, port, *TRUST["tls"](kit.certs)[1], *own)
    told = TOLD_TO_US[which, version]
    expect_bad(client, containing=f"The peer ended TLS with the alert {told.get(peer, told[None])}: ")
    expect(not client.matching("received: "), "an echo all the same")


for version in VERSIONS:
    for which in ("missing", "untrusted"):
        for peer in CLIENTS:
            add_case("certificates", f"server/{peer}/{version}/{which}-certificate", refused_by_us, peer, version,
                     which)
        for peer in SERVERS:
            add_case("certificates", f"client/{peer}/{version}/{which}-certificate", refused_by_them, peer, version,
                     which)
