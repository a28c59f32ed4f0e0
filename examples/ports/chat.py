#!/usr/bin/python3
"""A room in which everybody hears everybody: a protocol with states, and what its connections share."""

import argparse
from enum import Enum

from twisted.internet import defer, task
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


class State(Enum):
    GETNAME = 1
    CHAT = 2


class Chat(LineReceiver):
    """Asks for a name first; each line is for the others then."""

    def __init__(self, users):
        self.users = users
        self.name = None
        self.state = State.GETNAME

    def connectionMade(self):
        self.sendLine(b"Who are you?")

    def lineReceived(self, line):
        if self.state is State.GETNAME:
            self.getName(line)
        else:
            self.chat(line)

    def connectionLost(self, reason):
        if self.state is State.CHAT:
            del self.users[self.name]
            self.tellOthers(b"* " + self.name + b" left")

    def getName(self, name):
        if not name or name in self.users:
            self.sendLine(b"Not that name, please")
            return
        self.sendLine(b"Hello " + name)
        self.users[name] = self
        self.name = name
        self.state = State.CHAT
        self.tellOthers(b"* " + name + b" came")

    def chat(self, line):
        self.tellOthers(b"<" + self.name + b"> " + line)

    def tellOthers(self, line):
        for user in self.users.values():
            if user is not self:
                user.sendLine(line)


class ChatFactory(Factory):
    def __init__(self):
        self.users = {}

    def buildProtocol(self, address):
        return Chat(self.users)


async def serve(reactor, options):
    endpoint = serverFromString(reactor, f"tcp:{options.port}:interface=127.0.0.1")
    port = await endpoint.listen(ChatFactory())
    print("LISTENING", port.getHost().port, flush=True)
    await defer.Deferred()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Lets people chat.")
    parser.add_argument("--port", type=int, default=8123, help="where to listen")
    task.react(serve, [parser.parse_args()])
