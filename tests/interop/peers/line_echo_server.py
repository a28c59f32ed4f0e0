#!/usr/bin/python3
"""Sends back each line."""

from twisted.internet import protocol
from twisted.protocols.basic import LineReceiver

from common import Reporting, say, serve, server_parser


class LineEcho(Reporting, LineReceiver):
    def lineReceived(self, line):
        say("received:", line.decode("utf-8", "replace"))
        self.sendLine(line)


if __name__ == "__main__":
    serve(server_parser().parse_args(), protocol.Factory.forProtocol(LineEcho))
