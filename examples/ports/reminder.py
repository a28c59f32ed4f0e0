#!/usr/bin/python3
"""Reminds a chat room of something, again and again: a client that stays connected, whatever happens to the server."""

import argparse

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet import defer, task
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


class NameRefused(Exception):
    pass


class Reminder(LineReceiver):
    """Gives its name, and knows when the room has let it in."""

    def connectionMade(self):
        self.welcome = defer.Deferred()
        self.sendLine(self.factory.name)

    def lineReceived(self, line):
        if self.welcome.called:
            return
        if line.startswith(b"Hello "):
            self.welcome.callback(None)
        elif line.startswith(b"Not "):
            self.welcome.errback(NameRefused())

    def connectionLost(self, reason):
        if not self.welcome.called:
            self.welcome.errback(reason)


async def logIn(reminder):
    await reminder.welcome
    print("logged in", flush=True)


async def remind(reactor, options):
    endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{options.port}")
    factory = Factory.forProtocol(Reminder)
    factory.name = options.name.encode()
    client = ClientService(
        endpoint,
        factory,
        retryPolicy=backoffPolicy(initialDelay=0.1, maxDelay=5),
        prepareConnection=lambda reminder: defer.ensureDeferred(logIn(reminder)),
    )
    client.startService()
    reactor.addSystemEventTrigger("before", "shutdown", client.stopService)
    try:
        # At the start somebody may be watching: so not for ever.
        reminder = await client.whenConnected(failAfterFailures=3)
        while True:
            reminder.sendLine(options.text.encode())
            await task.deferLater(reactor, options.every / 1000)
            reminder = await client.whenConnected()
    except defer.CancelledError:
        pass  # the service was stopped
    except Exception:
        print("giving up", flush=True)
        raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Reminds a chat room of something.")
    parser.add_argument("--port", type=int, default=8123, help="where the chat server listens")
    parser.add_argument("--name", default="reminder", help="who to be")
    parser.add_argument("--text", default="drink water", help="what to say")
    parser.add_argument("--every", type=int, default=60000, help="how often, in ms")
    task.react(remind, [parser.parse_args()])
