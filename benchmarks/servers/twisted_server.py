#!/usr/bin/python3
"""An echo server with Twisted: Protocol and LineReceiver, and TLSMemoryBIOFactory once for every layer of TLS.

twisted_server.py PORT MODE CERT, as the other servers. The reactor is the default one, which is epoll on Linux.
"""

import resource
import sys

from OpenSSL import SSL
from twisted.internet import protocol, reactor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

BACKLOG = 4096
DEEPEST = 8
USAGE = 64   # EX_USAGE of sysexits.h


class Bounded:
    """Reading pauses while the socket has more than its buffer size, 64 KiB, to send: the protocol is its producer.
    What waits when the client ends is sent before the connection closes.

    The producer stands at the socket itself, under all layers of TLS: a layer that has a producer does not close."""

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        self.socket = self.transport
        while isinstance(self.socket, TLSMemoryBIOProtocol):
            self.socket = self.socket.transport
        self.socket.registerProducer(self, True)

    def pauseProducing(self):
        self.socket.pauseProducing()

    def resumeProducing(self):
        if self.socket.disconnecting:
            self.socket.unregisterProducer()   # closes, now that all is sent
        else:
            self.socket.resumeProducing()

    def stopProducing(self):
        pass

    def readConnectionLost(self):
        self.socket.unregisterProducer()
        self.socket.loseConnection()

    def writeConnectionLost(self):
        pass


@implementer(IHalfCloseableProtocol)
class Echo(Bounded, protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


@implementer(IHalfCloseableProtocol)
class EchoLines(Bounded, LineReceiver):
    delimiter = b"\r\n"

    def lineReceived(self, line):
        self.sendLine(line)


class ContextFactory:
    """One context for all connections: TLS 1.3, and session tickets that the server keeps nothing for."""

    def __init__(self, certificate):
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self._context.set_max_proto_version(SSL.TLS1_3_VERSION)
        self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self._context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        # pyOpenSSL has no public name for the suites of TLS 1.3.
        if SSL._lib.SSL_CTX_set_ciphersuites(self._context._context, b"TLS_AES_128_GCM_SHA256") != 1:
            sys.exit("TLS_AES_128_GCM_SHA256 cannot be set")
        self._context.use_certificate_chain_file(certificate)
        self._context.use_privatekey_file(certificate)

    def getContext(self):
        return self._context


def read_mode(mode):
    """Gives (layers of TLS, whether lines), or None if there is no such mode."""
    modes = {"plain": (0, False), "tls": (1, False), "plain-lines": (0, True), "tls-lines": (1, True)}
    modes.update({f"nested{layers}": (layers, False) for layers in range(DEEPEST + 1)})
    return modes.get(mode)


def refuse(why):
    print(f"{sys.argv[0]}: {why}\nusage: {sys.argv[0]} PORT MODE CERT, where MODE is plain, tls, nestedN "
          f"(N of 0 to {DEEPEST}), plain-lines or tls-lines", file=sys.stderr)
    sys.exit(USAGE)


def main():
    if len(sys.argv) != 4:
        refuse("three arguments are needed")
    _, port, mode, certificate = sys.argv
    if not port.isdecimal() or int(port) > 65535:
        refuse(f"PORT is {port}, which is not a number of 0 to 65535")
    found = read_mode(mode)
    if found is None:
        refuse(f"there is no mode {mode}")
    layers, lines = found
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory = protocol.Factory.forProtocol(EchoLines if lines else Echo)
    factory.noisy = False
    if layers:
        contexts = ContextFactory(certificate)
    for _ in range(layers):
        factory = TLSMemoryBIOFactory(contexts, False, factory)
        factory.noisy = False
    listener = reactor.listenTCP(int(port), factory, backlog=BACKLOG, interface="127.0.0.1")
    print(f"listening on 127.0.0.1:{listener.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
