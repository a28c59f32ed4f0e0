"""Stackable TLS on Twisted, after the data structure of the nested-TLS answer: a doubly linked list of protocols.

`wrappedProtocol` leads inward, `transport` outward. The onion itself and the application's protocol are the fixed ends;
TLS layers are spliced in between, and a layer that closes is spliced out again. This keeps that design's weaknesses too
(what stands behind the outermost close_notify in one read is lost), since real peers have them.
"""

from twisted.internet.interfaces import ITCPTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.components import proxyForInterface


class ClosingPopsTransport(proxyForInterface(ITCPTransport)):
    """What a TLS layer sees of the layer below: closing it, at the end of the TLS session, only takes the layer off."""

    def __init__(self, original, popped):
        super().__init__(original)
        self._popped = popped

    def loseConnection(self):
        popped, self._popped = self._popped, lambda: None
        popped()


class Onion(ProtocolWrapper):
    def __init__(self, factory, application):
        super().__init__(factory, application)
        self._application = application
        self._innermost = None
        self.depth = 0

    def startTLS(self, options, client, leftover=None):
        layer = TLSMemoryBIOProtocol(None, self._application, False)
        layer.factory = TLSMemoryBIOFactory(options, client, None)
        if self._innermost is None:
            below, holder = self.transport, self
        else:
            below = holder = self._innermost
        holder.wrappedProtocol = layer
        layer.holder, layer.below = holder, below
        self._innermost = self.transport = layer
        self.depth += 1
        layer.makeConnection(ClosingPopsTransport(below, self._pop))
        if leftover:
            layer.dataReceived(leftover)

    def stopTLS(self):
        self.transport.loseConnection()

    def _pop(self):
        layer = self._innermost
        layer.holder.wrappedProtocol = self._application
        self._innermost = None if layer.holder is self else layer.holder
        self.transport = layer.below
        self.depth -= 1
        self._application.layerPopped()


class OnionFactory(WrappingFactory):
    """Keeps no list of its protocols: their hash is that of the transport, which changes."""

    protocol = Onion

    def registerProtocol(self, protocol):
        pass

    def unregisterProtocol(self, protocol):
        pass
