#!/usr/bin/python3
"""Sends back whatever comes."""

from twisted.internet import protocol

from common import Reporting, say, serve, server_parser


class Echo(Reporting, protocol.Protocol):
    def dataReceived(self, data):
        for line in data.splitlines():
            say("received:", line.decode("utf-8", "replace"))
        self.transport.write(data)


if __name__ == "__main__":
    serve(server_parser().parse_args(), protocol.Factory.forProtocol(Echo))
