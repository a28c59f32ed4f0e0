#!/usr/bin/python3
"""What s_client is for OpenSSL: stdin goes out over TLS, the lines that come are printed, until either side ends."""

import os

from twisted.internet import protocol, stdio
from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from common import ClientMixin, add_trust, client_parser, own_certificate, run_client, say, trusting


class Input(protocol.Protocol):
    def __init__(self, connection):
        self._connection = connection

    def dataReceived(self, data):
        self._connection.write(data)

    def connectionLost(self, reason=None):
        self._connection.loseConnection()


@implementer(IHandshakeListener)
class Terminal(ClientMixin, LineReceiver):
    MAX_LENGTH = 1 << 20
    delimiter = b"\n"
    fulfilled = "the connection ended cleanly"

    def connectionMade(self):
        # Its own writing end, which is not used: the real one would become non-blocking, to the dismay of print.
        stdio.StandardIO(Input(self.transport), stdout=os.pipe()[1])

    def handshakeCompleted(self):
        agreed = self.transport.negotiatedProtocol
        say("negotiated:", agreed.decode() if agreed else "none")

    def lineReceived(self, line):
        say(line.rstrip(b"\r").decode("utf-8", "replace"))


parser = client_parser()
add_trust(parser)
parser.add_argument("--cert")
parser.add_argument("--protocols")
args = parser.parse_args()
certificate = own_certificate(args.cert) if args.cert else None
protocols = [name.encode() for name in args.protocols.split(",")] if args.protocols else None
run_client(args, Terminal(), trusting(args, certificate, acceptableProtocols=protocols))
