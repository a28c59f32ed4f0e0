#!/usr/bin/python3
"""Plain lines until STARTTLS, then TLS lines on the same connection."""

from twisted.internet import protocol
from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from common import Reporting, layer_state, own_certificate, pin, say, serve, server_parser


@implementer(IHandshakeListener)
class StartTLSServer(Reporting, LineReceiver):
    def connectionMade(self):
        layer_state(0, None)

    def lineReceived(self, line):
        say("received:", line.decode("utf-8", "replace"))
        if line == b"STARTTLS":
            self.sendLine(b"READY")
            self.transport.startTLS(self.factory.options)

    def handshakeCompleted(self):
        layer_state(1, self.transport)


parser = server_parser()
parser.add_argument("--cert", required=True)
args = parser.parse_args()
factory = protocol.Factory.forProtocol(StartTLSServer)
factory.options = pin(own_certificate(args.cert).options(), args.tls)
serve(args, factory)
