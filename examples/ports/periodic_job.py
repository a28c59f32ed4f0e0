#!/usr/bin/python3
"""Looks into a file at an interval, until the file says "stop" or is gone."""

import argparse

from twisted.internet import task
from twisted.python import log


class Job:
    def __init__(self, reactor, path, work):
        self.reactor = reactor
        self.path = path
        self.work = work
        self.loop = task.LoopingCall.withCount(self.look)
        self.loop.clock = reactor

    def start(self, interval):
        return self.loop.start(interval)

    def look(self, beats):
        with open(self.path) as file:
            text = file.readline().rstrip("\n")
        print(f"{beats}: {text}", flush=True)
        if text == "stop":
            self.loop.stop()
        return task.deferLater(self.reactor, self.work)  # the next beat that counts is one after this


async def run(reactor, options):
    job = Job(reactor, options.path, options.work / 1000)
    try:
        await job.start(options.every / 1000)
    except OSError:
        print("failed", flush=True)
        log.err(None, "the job has failed")
        raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Looks into a file at an interval.")
    parser.add_argument("--every", type=int, default=1000, help="the interval, in ms")
    parser.add_argument("--work", type=int, default=0, help="how long one look takes, in ms")
    parser.add_argument("path", help="the file")
    task.react(run, [parser.parse_args()])
