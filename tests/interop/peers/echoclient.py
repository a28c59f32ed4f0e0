#!/usr/bin/python3
"""Sends three lines, expects them back in order, closes."""

from twisted.protocols.basic import LineReceiver

from common import ClientMixin, client_parser, run_client, say

LINES = [b"Hello, world!", b"What a fine day it is.", b"Bye-bye!"]


class EchoClient(ClientMixin, LineReceiver):
    def connectionMade(self):
        self.waiting = list(LINES)
        for line in LINES:
            self.sendLine(line)

    def lineReceived(self, line):
        say("received:", line.decode("utf-8", "replace"))
        if not self.waiting or line != self.waiting.pop(0):
            self.disagree(f"unexpected line {line!r}")
        elif not self.waiting:
            self.fulfilled = "all lines came back"
            self.transport.loseConnection()


if __name__ == "__main__":
    run_client(client_parser().parse_args(), EchoClient())
