#!/usr/bin/python3
"""Puts TLS layers on and takes them off as the client's lines say, and echoes the rest."""

from twisted.internet import protocol
from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from common import Reporting, layer_state, own_certificate, pin, say, serve, server_parser
from onion import OnionFactory


@implementer(IHandshakeListener)
class OnionServer(Reporting, LineReceiver):
    def connectionMade(self):
        layer_state(0, None)

    def lineReceived(self, line):
        onion = self.transport
        say("received:", line.decode("utf-8", "replace"))
        if line == b"PUSH" and onion.depth < len(layers):
            self.sendLine(b"READY")
            leftover = self.clearLineBuffer()
            onion.startTLS(layers[onion.depth], False, leftover)
        elif line == b"POP" and onion.depth > 0:
            self.sendLine(b"BYE")
            onion.stopTLS()
        else:
            self.sendLine(line)

    def handshakeCompleted(self):
        layer_state(self.transport.depth, self.transport.transport)

    def layerPopped(self):
        layer_state(self.transport.depth, self.transport.transport if self.transport.depth else None)


parser = server_parser()
parser.add_argument("--cert", action="append", required=True)
args = parser.parse_args()
layers = [pin(own_certificate(path).options(), args.tls) for path in args.cert]
serve(args, OnionFactory(protocol.Factory.forProtocol(OnionServer)))
