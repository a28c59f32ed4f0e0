#!/usr/bin/python3
"""Says lines to whoever connects and wants each of them back."""

from twisted.internet import protocol
from twisted.protocols.basic import LineReceiver

from common import Reporting, say, serve, server_parser

LINES = [b"one", b"", b"three " + b"3" * 5000]


class Talker(Reporting, LineReceiver):
    def connectionMade(self):
        self.waiting = list(LINES)
        for line in LINES:
            self.sendLine(line)

    def lineReceived(self, line):
        if not self.waiting or line != self.waiting.pop(0):
            say("BAD:", line)
        elif not self.waiting:
            say("OK: all lines came back")


serve(server_parser().parse_args(), protocol.Factory.forProtocol(Talker))
