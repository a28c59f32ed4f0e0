"""What the Python peers share: the flags and output lines of the example programs, on real Twisted."""

import argparse
import sys

from OpenSSL import SSL
from twisted.internet import endpoints, error, reactor, ssl

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


def say(*words):
    print(*words, flush=True)


def note(*words):
    print(*words, file=sys.stderr, flush=True)


def server_parser(port=8000):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tls", choices=_VERSIONS, help="speak this version only")
    return parser


def client_parser(port=8000):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("--tls", choices=_VERSIONS, help="speak this version only")
    return parser


def add_trust(parser):
    parser.add_argument("--hostname", default="example.com")
    parser.add_argument("--ca")


def load_pem(path):
    with open(path, "rb") as file:
        return file.read()


def own_certificate(path):
    return ssl.PrivateCertificate.loadPEM(load_pem(path))


def authority(path):
    return ssl.Certificate.loadPEM(load_pem(path))


def pin(options, version):
    """Limits a context factory of either kind to one TLS version."""
    if version is not None:
        context = options._ctx if hasattr(options, "_ctx") else options.getContext()
        context.set_min_proto_version(_VERSIONS[version])
        context.set_max_proto_version(_VERSIONS[version])
    return options


def trusting(args, certificate=None, **more):
    """A client's options from --hostname, --ca and --tls."""
    root = authority(args.ca) if args.ca else None
    return pin(ssl.optionsForClientTLS(args.hostname, root, certificate, **more), args.tls)


def report_loss(reason):
    if reason.check(error.ConnectionDone):
        say("lost: clean")
    else:
        say("lost: unclean:", str(reason.value) or reason.type.__name__)


def layer_state(depth, transport):
    """The `state:` line of the examples; transport is None for plain text."""
    if transport is None:
        note("state:", depth, "plain")
        return
    connection = transport.getHandle()
    peer = connection.get_peer_certificate()
    name = peer.get_subject().CN if peer is not None else "-"
    note("state:", depth, connection.get_protocol_version_name(), connection.get_cipher_name(), name)


class Reporting:
    """Mixed into a server's protocol: reports each connection's end."""

    def connectionLost(self, reason):
        super().connectionLost(reason)
        report_loss(reason)


def serve(args, factory, options=None):
    """Listens, with TLS if options are given, until a signal; status 0."""
    if options is not None:
        port = reactor.listenSSL(args.port, factory, options, backlog=2048, interface=args.host)
    else:
        port = reactor.listenTCP(args.port, factory, backlog=2048, interface=args.host)
    say("LISTENING", port.getHost().port)
    reactor.run()


class Verdict:
    """A client's one outcome: prints OK or BAD once and ends the program with that status."""

    def __init__(self, timeout):
        self.status = None
        self.protocol = None
        self._timeout = reactor.callLater(timeout, self.bad, "the peer stayed silent")

    def ok(self, text):
        self._end(0, f"OK: {text}")

    def bad(self, why):
        self._end(1, f"BAD: {why}")

    def _end(self, status, line):
        if self.status is None:
            self.status = status
            say(line)
            if self._timeout.active():
                self._timeout.cancel()
            reactor.callLater(0, reactor.stop)


class ClientMixin:
    """Mixed into a client's protocol. It sets `fulfilled` to a text once it has seen all it wanted."""

    verdict = None
    fulfilled = None
    complaint = None
    must_end_cleanly = True

    def disagree(self, why):
        self.complaint = why
        self.transport.abortConnection()

    def connectionLost(self, reason):
        super().connectionLost(reason)
        report_loss(reason)
        clean = reason.check(error.ConnectionDone) or not self.must_end_cleanly
        if self.complaint:
            self.verdict.bad(self.complaint)
        elif self.fulfilled and clean:
            self.verdict.ok(self.fulfilled)
        else:
            self.verdict.bad(str(reason.value) or reason.type.__name__)


def run_client(args, protocol, options=None):
    """Connects, with TLS if options are given, and ends with the verdict's status."""
    protocol.verdict = verdict = Verdict(args.timeout)
    endpoint = endpoints.HostnameEndpoint(reactor, args.host, args.port)
    if options is not None:
        endpoint = endpoints.wrapClientTLS(options, endpoint)
    endpoints.connectProtocol(endpoint, protocol).addErrback(lambda failure: verdict.bad(failure.value))
    reactor.run()
    sys.exit(1 if verdict.status is None else verdict.status)
