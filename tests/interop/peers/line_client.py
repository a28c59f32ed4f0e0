#!/usr/bin/python3
"""Connects to an endpoint string and sends back each line it receives, for ever."""

import sys

from twisted.internet import defer, endpoints, protocol, task
from twisted.protocols.basic import LineReceiver

from common import report_loss, say


class Mirror(LineReceiver):
    def lineReceived(self, line):
        say("received:", line.decode("utf-8", "replace"))
        self.sendLine(line)

    def connectionLost(self, reason):
        report_loss(reason)
        self.factory.done.callback(None)


def main(reactor, where="tcp:localhost:9999"):
    factory = protocol.ClientFactory.forProtocol(Mirror)
    factory.done = defer.Deferred()
    return endpoints.clientFromString(reactor, where).connect(factory).addCallback(lambda _: factory.done)


task.react(main, sys.argv[1:])
