#!/usr/bin/python3
"""Tells what a user is up to, to whoever asks, and lets it be changed: three services that start and stop as one."""

import argparse

from twisted.application.app import startApplication
from twisted.application.internet import StreamServerEndpointService, TimerService
from twisted.application.service import MultiService
from twisted.internet import defer, reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python import log
from twisted.python.failure import Failure


class Users:
    """Who there is and what they are up to, from a file of lines such as "alice: at lunch"."""

    def __init__(self, path):
        self.path = path
        self.users = {}
        self.error = None

    def read(self):
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    user, colon, status = line.partition(b":")
                    if colon:
                        self.users[user.strip()] = status.strip()
            self.error = None
        except OSError:
            self.error = Failure()
            log.err(self.error, "the users cannot be read")

    def getUser(self, user):
        if self.error is not None:
            return defer.fail(self.error)
        return defer.succeed(self.users.get(user, b"No such user"))

    def setUser(self, user, status):
        self.users[user] = status


class Finger(LineReceiver):
    """Answers a user's name with the status, and hangs up."""

    def lineReceived(self, user):
        d = self.factory.users.getUser(user)
        d.addErrback(lambda failure: b"Internal error in server")
        d.addCallback(self.answer)

    def answer(self, status):
        self.sendLine(status)
        self.transport.loseConnection()


class FingerSetter(LineReceiver):
    """Takes two lines, a user's name and the new status."""

    def connectionMade(self):
        self.lines = []

    def lineReceived(self, line):
        self.lines.append(line)
        if len(self.lines) == 2:
            user, status = self.lines
            self.factory.users.setUser(user, status)
            self.transport.loseConnection()


class Listener(StreamServerEndpointService):
    """Serves a protocol, and says at which port."""

    _raiseSynchronously = True

    def __init__(self, reactor, what, port, protocol, users):
        endpoint = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1")
        factory = Factory.forProtocol(protocol)
        factory.users = users
        super().__init__(endpoint, factory)
        self.what = what

    def startService(self):
        super().startService()
        self._waitingForPort.addCallback(self.announce)  # no public name tells the port

    def announce(self, port):
        print(self.what, port.getHost().port, flush=True)
        return port


def makeApplication(reactor, options):
    users = Users(options.users)
    application = MultiService()
    TimerService(options.reread / 1000, users.read).setServiceParent(application)
    Listener(reactor, "LISTENING", options.port, Finger, users).setServiceParent(application)
    Listener(reactor, "SETTER", options.setter_port, FingerSetter, users).setServiceParent(application)
    return application


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tells what users are up to.")
    parser.add_argument("--port", type=int, default=7979, help="where to ask")
    parser.add_argument("--setter-port", type=int, default=7980, help="where to change")
    parser.add_argument("--users", default="users", help="the file that is read")
    parser.add_argument("--reread", type=int, default=30000, help="how often, in ms")
    startApplication(makeApplication(reactor, parser.parse_args()), False)
    reactor.run()
