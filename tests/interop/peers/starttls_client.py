#!/usr/bin/python3
"""Asks for TLS in the middle of a plain connection and sends one line in it."""

from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from common import ClientMixin, add_trust, client_parser, layer_state, run_client, say, trusting


@implementer(IHandshakeListener)
class StartTLSClient(ClientMixin, LineReceiver):
    def connectionMade(self):
        layer_state(0, None)
        self.sendLine(b"plain text")
        self.sendLine(b"STARTTLS")

    def lineReceived(self, line):
        say("received:", line.decode("utf-8", "replace"))
        if line == b"READY":
            self.transport.startTLS(options)
            self.sendLine(b"secure text")
            self.transport.loseConnection()

    def handshakeCompleted(self):
        layer_state(1, self.transport)
        self.fulfilled = "TLS came up"


parser = client_parser()
add_trust(parser)
args = parser.parse_args()
options = trusting(args)
run_client(args, StartTLSClient())
