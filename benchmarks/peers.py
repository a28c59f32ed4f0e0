"""Who is compared, with what, and which figures are aimed at."""

import collections

# The columns of every table, in this order. All ratios are to epoll: what the kernel and OpenSSL alone cost.
PEERS = ["torsion", "epoll", "libevent", "asio", "libuv", "twisted"]
SERVERS = {
    "torsion": "bench_server",
    "epoll": "epoll_server",
    "libevent": "libevent_server",
    "asio": "asio_server",
    "libuv": "libuv_server",
    "twisted": "twisted_server.py",
}
POOL = "pool_server"

Case = collections.namedtuple("Case", "name mode load tls target")

CASES = [
    Case("plain/stream", "plain", "stream", 0, 1.02),
    Case("plain/pingpong", "plain", "pingpong", 0, 1.02),
    Case("plain/pipelined", "plain", "pipelined", 0, 1.02),
    Case("plain/lines", "plain-lines", "lines", 0, 1.05),
    Case("plain/connect", "plain", "connect", 0, 1.05),
    Case("tls/stream", "tls", "stream", 1, 1.00),
    Case("tls/pingpong", "tls", "pingpong", 1, 1.00),
    Case("tls/pipelined", "tls", "pipelined", 1, 1.00),
    Case("tls/lines", "tls-lines", "lines", 1, 1.00),
    Case("tls/connect", "tls", "connect", 1, 1.00),
    Case("tls/resume", "tls", "resume", 1, 1.00),
    Case("nested2/stream", "nested2", "stream", 2, 1.00),
    Case("nested2/pingpong", "nested2", "pingpong", 2, 1.00),
    Case("nested3/stream", "nested3", "stream", 3, 1.00),
    Case("nested3/pingpong", "nested3", "pingpong", 3, 1.00),
]
# On one reactor and on two. In the first each message costs the server some work, so that the load is next to nothing.
POOL_CASES = [Case("work/pingpong", "work", "pingpong", 0, None),
              *(case for case in CASES if case.name in ("plain/pingpong", "tls/stream", "tls/connect"))]
# Octets of the server's memory a connection at most; no ratio.
IDLE = [
    Case("plain/idle", "plain", "idle", 0, 350),
    Case("tls/idle", "tls", "idle", 1, 14000),
    Case("nested2/idle", "nested2", "idle", 2, 28000),
]
IDLE_CONNECTIONS = 10000
IDLE_CONNECTIONS_FEW = 1000  # --quick, and Twisted
# What Twisted does in --quick: its figures are the same every time, far from all others.
TWISTED_QUICK = ["plain/stream", "plain/pingpong", "plain/lines", "tls/stream", "tls/pingpong", "nested2/pingpong",
                 "plain/idle", "tls/idle"]

# Programs that print one JSON object a line for each figure; not every peer has everything.
INPROCESS = {
    "torsion": ["torsion_timers", "torsion_deferred", "torsion_wakeups", "torsion_lines"],
    "libevent": ["libevent_timers", "libevent_wakeups"],
    "asio": ["asio_timers", "asio_wakeups"],
    "libuv": ["libuv_timers", "libuv_wakeups"],
    "twisted": ["twisted_inprocess.py"],
}
# figure: (at most, None) or (None, at least), in the unit that the program prints
INPROCESS_TARGETS = {
    "timers/schedule": (60, None),
    "timers/cancel": (40, None),
    "timers/fire": (100, None),
    "wakeups/callFromThread": (None, 8e6),
    "deferred/chain10": (None, 5e6),
    "deferred/await10": (None, 3e6),
}
COMPILE_TARGET = 3.0

Curve = collections.namedtuple("Curve", "name title x load peers points")
# A point: where it lies on the x axis, the server's mode, and the layers of TLS and the options of bench_load.
Point = collections.namedtuple("Point", "x mode tls options")

BOTH = ["torsion", "epoll"]


def _nested(depths):
    return [Point(depth, f"nested{depth}", depth, []) for depth in depths]


def curves(quick):
    sizes = [1, 16, 256, 4096, 65536, 1048576] if quick else [1, 8, 64, 512, 4096, 32768, 262144, 1048576]
    depths = [0, 1, 2, 4, 8] if quick else range(9)
    lines = [1, 64, 1024, 16384] if quick else [1, 8, 64, 512, 4096, 16384]
    return [
        Curve("connections", "Messages of 64 octets, one in flight a connection", "connections", "pingpong", BOTH,
              [Point(n, "plain", 0, ["--connections", str(n)]) for n in (10, 100, 1000, 10000)]),
        Curve("message-size", "Messages of growing size, 64 connections with one in flight each", "octets a message",
              "pingpong", BOTH, [Point(n, "plain", 0, ["--size", str(n)]) for n in sizes]),
        Curve("depth-pingpong", "Messages of 64 octets under layers of TLS", "layers of TLS", "pingpong", BOTH,
              _nested(depths)),
        Curve("depth-stream", "A stream under layers of TLS", "layers of TLS", "stream", BOTH, _nested(depths)),
        Curve("line-length", "Lines of growing length", "octets a line, without CRLF", "lines", BOTH,
              [Point(n, "plain-lines", 0, ["--size", str(n + 2)]) for n in lines]),
        Curve("wrappers", "Messages of 64 octets through wrappers that do nothing", "wrappers", "pingpong", ["torsion"],
              [Point(n, f"wrapped{n}", 0, []) for n in depths]),
    ]


TIMER_CURVE = "timers"
TIMER_COUNTS = [1000, 10000, 100000, 1000000]
