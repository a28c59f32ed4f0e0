#!/usr/bin/python3
"""Answers questions of one line with one line each, in the order in which they came, however long one takes."""

import argparse

from twisted.internet import defer, task
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


def number(word):
    if not word.isdigit() or len(word) > 9:
        raise ValueError(word.decode() + " is no number")
    return int(word)


def answerTo(reactor, verb=b"", *words):
    """What "add 1 2" comes to, or "wait 500" after as many milliseconds."""
    numbers = [number(word) for word in words]
    if verb == b"add":
        return b"%d" % sum(numbers)
    if verb == b"wait" and len(numbers) == 1:
        return task.deferLater(reactor, numbers[0] / 1000, lambda: b"done")
    raise ValueError("no such question")


class Questions(LineReceiver):
    """An answer is "= " and what was asked for, or "! " and why there is none; "bye" ends the connection."""

    def lineReceived(self, line):
        if line == b"bye":
            self.transport.loseConnection()
            return
        self.pauseProducing()  # what is asked meanwhile waits
        d = defer.maybeDeferred(answerTo, self.factory.reactor, *line.split())
        d.addCallbacks(lambda answer: b"= " + answer, lambda failure: b"! " + failure.getErrorMessage().encode())
        d.addCallback(self.answer)

    def answer(self, line):
        self.sendLine(line)
        self.resumeProducing()


async def serve(reactor, options):
    endpoint = serverFromString(reactor, f"tcp:{options.port}:interface=127.0.0.1")
    factory = Factory.forProtocol(Questions)
    factory.reactor = reactor
    port = await endpoint.listen(factory)
    print("LISTENING", port.getHost().port, flush=True)
    await defer.Deferred()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answers questions.")
    parser.add_argument("--port", type=int, default=8124, help="where to listen")
    task.react(serve, [parser.parse_args()])
