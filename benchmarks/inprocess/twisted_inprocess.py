#!/usr/bin/python3
"""What the programs torsion_timers, _wakeups, _deferred and _lines measure, in Twisted. The figures that a Python
coroutine and a generator have for the same are deferred/await10 and deferred/await10-inlineCallbacks."""

import json
import random
import statistics
import sys
import threading
import time

from twisted.internet import defer, reactor
from twisted.protocols.basic import LineReceiver

SEED = 20240601
REPEATS = 5


def report(bench, unit, value):
    print(json.dumps({"bench": bench, "peer": "twisted", "unit": unit, "value": round(value, 1)}), flush=True)


def nanoseconds_each(count, function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e9 / count


def per_second(count, function):
    function()
    return statistics.median(1e9 / nanoseconds_each(count, function) for _ in range(REPEATS))


# --- timers

def timers(live=10_000, count=100_000):
    print(f"seed {SEED}, {count} timers, {live} others live", file=sys.stderr)
    chance = random.Random(SEED)
    fired = [0]

    def fire():
        fired[0] += 1

    others = [reactor.callLater(chance.uniform(1, 100), lambda: None) for _ in range(live)]
    delays = [chance.uniform(1, 60) for _ in range(count)]
    calls = []

    def schedule():
        calls.clear()
        for delay in delays:
            calls.append(reactor.callLater(delay, fire))

    def cancel():
        for i in order:
            calls[i].cancel()

    def reset():
        for i in order:
            calls[i].reset(delays[i])

    order = list(range(count))
    chance.shuffle(order)
    reactor.iterate(0)
    figures = {"schedule": [], "cancel": [], "reset": [], "fire": []}
    for _ in range(REPEATS):
        figures["schedule"].append(nanoseconds_each(count, schedule))
        figures["cancel"].append(nanoseconds_each(count, cancel))
        schedule()
        figures["reset"].append(nanoseconds_each(count, reset))
        cancel()
        reactor.iterate(0)
        for delay in delays:
            reactor.callLater(delay / 60000, fire)
        time.sleep(0.002)
        fired[0] = 0
        figures["fire"].append(nanoseconds_each(count, lambda: reactor.iterate(0)))
        assert fired[0] == count, fired
    for other in others:
        if other.active():
            other.cancel()
    for name, values in figures.items():
        report(f"timers/{name}", "ns", statistics.median(values))


# --- Deferreds

def add_one(x):
    return x + 1


def chain10():
    d = defer.Deferred()
    for _ in range(10):
        d.addCallback(add_one)
    d.callback(0)
    return d.result


def nested():
    d = defer.Deferred()
    d.addCallback(lambda x: defer.succeed(x + 1))
    d.addCallback(add_one)
    d.callback(8)
    return d.result


async def await10():
    total = 0
    for _ in range(10):
        total += await defer.succeed(1)
    return total


@defer.inlineCallbacks
def yield10():
    total = 0
    for _ in range(10):
        total += yield defer.succeed(1)
    return total


def deferreds(rounds=20_000):
    def repeat(function):
        def run():
            for _ in range(rounds):
                result = function()
            assert result == 10
        return run

    report("deferred/chain10", "1/s", per_second(rounds, repeat(chain10)))
    report("deferred/nested", "1/s", per_second(rounds, repeat(nested)))
    report("deferred/await10", "1/s", per_second(rounds, repeat(lambda: defer.ensureDeferred(await10()).result)))
    report("deferred/await10-inlineCallbacks", "1/s", per_second(rounds, repeat(lambda: yield10().result)))


# --- lines

class Sink:
    """A transport that counts what is written to it, and keeps nothing."""

    disconnecting = False
    octets = 0

    def write(self, data):
        self.octets += len(data)

    def writeSequence(self, pieces):
        self.write(b"".join(pieces))


class Echo(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


def lines(length=64, batch=65536, batches=100):
    data = (b"x" * (length - 2) + b"\r\n") * (batch // length)
    sink = Sink()
    echo = Echo()
    echo.makeConnection(sink)

    def run():
        sink.octets = 0
        for _ in range(batches):
            echo.dataReceived(data)
        assert sink.octets == batches * batch

    report("lines/LineReceiver", "lines/s", per_second(batches * (batch // length), run))


# --- calls from another thread

@defer.inlineCallbacks
def wakeups(count=200_000):
    """The reactor runs but once, so that all repeats are within one run."""
    figures = []
    for _ in range(1 + REPEATS):
        ran = [0]
        done = defer.Deferred()

        def call():
            ran[0] += 1
            if ran[0] == count:
                done.callback(None)

        def produce():
            for _ in range(count):
                reactor.callFromThread(call)

        producer = threading.Thread(target=produce)
        start = time.perf_counter()
        producer.start()
        yield done
        figures.append(count / (time.perf_counter() - start))
        producer.join()
    report("wakeups/callFromThread", "calls/s", statistics.median(figures[1:]))
    reactor.stop()


def main():
    timers()
    deferreds()
    lines()
    reactor.callWhenRunning(wakeups)
    reactor.run()


if __name__ == "__main__":
    main()
