#!/usr/bin/python3
"""Asks questions of one line each without waiting for one answer before the next question."""

import argparse
from collections import deque

from twisted.internet import defer, task
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectionClosed
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


class Refused(Exception):
    pass


class Questioner(LineReceiver):
    """The oldest question without an answer is the one that the next line answers."""

    def __init__(self):
        self.waiting = deque()
        self.reason = None

    def ask(self, question):
        if self.reason is not None:
            return defer.fail(self.reason)
        answer = defer.Deferred()
        self.waiting.append(answer)
        self.sendLine(question)
        return answer

    def lineReceived(self, line):
        answer = self.waiting.popleft()
        if line.startswith(b"= "):
            answer.callback(line[2:])
        else:
            answer.errback(Refused(line[2:].decode()))

    def connectionLost(self, reason):
        self.reason = reason
        while self.waiting:
            self.waiting.popleft().errback(reason)


async def converse(reactor, options):
    endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{options.port}")
    questioner = await endpoint.connect(Factory.forProtocol(Questioner))
    window = defer.DeferredSemaphore(options.window)

    def ask(question):
        return questioner.ask(question.encode()).addTimeout(options.timeout / 1000, reactor)

    answers = [window.run(ask, question) for question in options.questions]
    for question, d in zip(options.questions, answers):
        try:
            answer = await d
            print(f"{question}: {answer.decode()}", flush=True)
        except Refused as error:
            print(f"{question}: refused: {error}", flush=True)
        except defer.TimeoutError:
            print(f"{question}: timed out", flush=True)
        except ConnectionClosed:
            print(f"{question}: lost", flush=True)
    questioner.transport.loseConnection()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Asks questions.")
    parser.add_argument("--port", type=int, default=8124, help="where the server listens")
    parser.add_argument("--timeout", type=int, default=3000, help="how long to wait for an answer, in ms")
    parser.add_argument("--window", type=int, default=8, help="how many questions may wait for an answer")
    parser.add_argument("questions", nargs="+", help='such as "add 1 2" or "wait 500"')
    task.react(converse, [parser.parse_args()])
