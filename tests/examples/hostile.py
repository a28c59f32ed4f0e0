"""Peers that misbehave below TLS: the one connection ends with its reason, the server lives, nothing leaks."""

import errno
import os
import resource
import select
import socket
import time

from harness.cases import add_case
from harness.programs import Failed, Skipped, expect
from harness.sockets import connect, read_line, wait_closed

from .steps import LINE_SERVERS, descriptor_limit, good_client, losses, surviving

MAX_LENGTH = 16384


def endless_line(kit, name):
    with surviving(kit, name) as server:
        sock = connect(server.port)
        try:
            for _ in range(20):
                sock.sendall(b"x" * 4096)
        except OSError:
            pass  # it has had enough
        wait_closed(sock, "the endless line")
        losses(server, 1, "lost: ")
        expect("xxxx" not in server.text(), "the server took the endless line for a line")


def longest_line(kit, name, length, passes):
    with surviving(kit, name) as server:
        sock = connect(server.port)
        line = b"y" * length
        sock.sendall(line + b"\r\n")
        if passes:
            expect(read_line(sock) == line, "no echo")
        else:
            expect(wait_closed(sock, "the line") == b"", "an answer")
        sock.close()
        losses(server, 1, "lost: ")


for server_name in LINE_SERVERS:
    add_case("hostile", f"endless-line/{server_name}", endless_line, server_name)
for server_name in ("line_echo_server", "onion_server"):
    for octets, fits in ((MAX_LENGTH - 1, True), (MAX_LENGTH, True), (MAX_LENGTH + 1, False)):
        add_case("hostile", f"line-of-{octets}/{server_name}", longest_line, server_name, octets, fits)


def half_line(kit, name):
    with surviving(kit, name) as server:
        sock = connect(server.port)
        sock.sendall(b"half a li")
        sock.close()
        losses(server, 1, "lost: clean")
        expect("half a li" not in server.text(), "the server took half a line for a line")


for server_name in LINE_SERVERS:
    add_case("hostile", f"half-line/{server_name}", half_line, server_name)


def _connect_all(port, count, timeout=30):
    """Starts all connects before it waits for the first."""
    socks, waiting = [], {}
    poller = select.poll()
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        if sock.connect_ex(("127.0.0.1", port)) not in (0, errno.EINPROGRESS):
            raise Failed(f"connect number {len(socks) + 1} failed at once")
        socks.append(sock)
        waiting[sock.fileno()] = sock
        poller.register(sock, select.POLLOUT)
    deadline = time.monotonic() + timeout
    while waiting:
        if time.monotonic() > deadline:
            raise Failed(f"{len(waiting)} of {count} connects were not through within {timeout} s")
        for number, _ in poller.poll(200):
            poller.unregister(number)
            error = waiting.pop(number).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise Failed(f"a connect failed: {errno.errorcode.get(error, error)}")
    return socks


def crowd(kit, name, count):
    """So many at once, silent all; a good client is served among them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(count, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    with surviving(kit, name, limits=descriptor_limit(None)) as server:
        socks = _connect_all(server.port, count)
        good_client(kit, server, name)
        for sock in socks:
            sock.close()
        server.wait_line("lost: ", timeout=30, count=count + 2)


for server_name in ("echoserv", "echoserv_ssl", "onion_server"):
    add_case("hostile", f"crowd-of-2000/{server_name}", crowd, server_name, 2000, alone=True)


def out_of_descriptors(kit, name):
    """More connections than the server has descriptors for: it goes on once there are some again."""
    if "UBSAN_OPTIONS" in os.environ:
        raise Skipped("UBSan's vptr check probes memory through a pipe, and takes objects for broken without descriptors")
    with surviving(kit, name, limits=descriptor_limit(64)) as server:
        socks = _connect_all(server.port, 150)
        time.sleep(0.3)  # let it run into the limit; nothing is expected to happen
        used = _processor_time(server.pid)
        time.sleep(0.5)
        used = _processor_time(server.pid) - used
        expect(used < 0.3, f"without descriptors the server is busy for {used:.2f} s of 0.5 s")
        for sock in socks:
            sock.close()


def _processor_time(pid):
    """Seconds of processor time, user and system."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


for server_name in ("echoserv", "echoserv_ssl"):
    add_case("hostile", f"out-of-descriptors/{server_name}", out_of_descriptors, server_name)
