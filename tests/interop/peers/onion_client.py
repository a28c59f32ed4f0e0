#!/usr/bin/python3
"""Goes up to a depth of TLS layers and down again, some times, and says a line at each level."""

import sys

from twisted.internet import endpoints, protocol, reactor, ssl
from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from common import ClientMixin, Verdict, authority, client_parser, layer_state, pin, say
from onion import OnionFactory


@implementer(IHandshakeListener)
class OnionClient(ClientMixin, LineReceiver):
    """`_steps` gives the lines to send; between them come the answers."""

    def connectionMade(self):
        self.verdict = verdict
        layer_state(0, None)
        self._steps = self._script()
        self._advance()

    def _script(self):
        for cycle in range(args.cycles):
            for depth in range(args.depth + 1):
                yield f"up {depth} {cycle}"
                if depth < args.depth:
                    yield "PUSH"
            for depth in reversed(range(args.depth)):
                yield "POP"
                yield f"down {depth} {cycle}"

    def _advance(self):
        self._asked = next(self._steps, None)
        if self._asked is None:
            self.fulfilled = f"{args.depth} layers, {args.cycles} times up and down"
            self.transport.loseConnection()
        else:
            self.sendLine(self._asked.encode())

    def lineReceived(self, raw):
        line = raw.decode("utf-8", "replace")
        say("received:", line)
        if line != {"PUSH": "READY", "POP": "BYE"}.get(self._asked, self._asked):
            self.disagree(f"{line!r} is no answer to {self._asked!r}")
        elif self._asked == "PUSH":
            self.transport.startTLS(layers[self.transport.depth], True, self.clearLineBuffer())
            self._advance()
        elif self._asked == "POP":
            self.transport.stopTLS()
        else:
            self._advance()

    def handshakeCompleted(self):
        layer_state(self.transport.depth, self.transport.transport)

    def layerPopped(self):
        layer_state(self.transport.depth, self.transport.transport if self.transport.depth else None)
        # The peer must have read our close_notify before anything follows it; see the module onion.
        reactor.callLater(args.settle_ms / 1000, self._advance)

parser = client_parser()
parser.add_argument("--hostname", action="append", default=[])
parser.add_argument("--ca", action="append", default=[])
parser.add_argument("--depth", type=int, default=2)
parser.add_argument("--cycles", type=int, default=1)
parser.add_argument("--settle-ms", type=int, default=100)
args = parser.parse_args()
layers = [pin(ssl.optionsForClientTLS(name, authority(ca)), args.tls) for name, ca in zip(args.hostname, args.ca)]
verdict = Verdict(args.timeout)
connected = endpoints.HostnameEndpoint(reactor, args.host, args.port).connect(
    OnionFactory(protocol.Factory.forProtocol(OnionClient)))
connected.addErrback(lambda failure: verdict.bad(failure.value))
reactor.run()
sys.exit(1 if verdict.status is None else verdict.status)
