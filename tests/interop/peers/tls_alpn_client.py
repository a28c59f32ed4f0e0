#!/usr/bin/python3
"""Offers application protocols, sends one line and expects it back."""

from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from common import ClientMixin, add_trust, client_parser, run_client, say, trusting


@implementer(IHandshakeListener)
class Negotiating(ClientMixin, LineReceiver):
    agreed = None

    def connectionMade(self):
        self.sendLine(b"which protocol is this?")

    def handshakeCompleted(self):
        self.agreed = self.transport.negotiatedProtocol
        say("negotiated:", self.agreed.decode() if self.agreed else "none")

    def lineReceived(self, line):
        if self.agreed is None:
            self.disagree("no protocol was agreed on")
        else:
            self.fulfilled = f"{self.agreed.decode()} was agreed on"
            self.transport.loseConnection()


parser = client_parser()
add_trust(parser)
parser.add_argument("--protocols", default="h2,http/1.1")
args = parser.parse_args()
run_client(args, Negotiating(), trusting(args, acceptableProtocols=[p.encode() for p in args.protocols.split(",")]))
