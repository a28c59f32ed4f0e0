"""Relays between a client and a server: one that looks at TLS records, and one that is slow on purpose."""

import socket
import threading
import time

from .sockets import Listener, connect, pump

_ALERT, _APPLICATION_DATA = 21, 23
_HEADER = 5
_SEALED_ALERT = 2 + 1 + 16  # TLS 1.3: an alert, the octet that says so, and the tag of every usual cipher


def is_close_notify(record):
    """Whether a record is an alert; in a session that goes well there is no other."""
    return record[0] == _ALERT or (record[0] == _APPLICATION_DATA and len(record) == _HEADER + _SEALED_ALERT)


def _records(sock):
    """Yields one TLS record after the other, header included, until the end of the stream."""
    waiting = b""
    while piece := sock.recv(65536):
        waiting += piece
        while len(waiting) >= _HEADER:
            size = _HEADER + int.from_bytes(waiting[3:_HEADER], "big")
            if len(waiting) < size:
                break
            yield waiting[:size]
            waiting = waiting[size:]


class RecordRelay(Listener):
    """Carries record by record, and calls before(towards_server, record) ahead of each. The server is not connected to
    before the client has said something, so that the server's limits do not run yet.
    """

    def __init__(self, kit, server_port, before):
        self._server_port, self._before = server_port, before
        super().__init__(kit, self._relay)

    def _relay(self, client):
        def carry(source, target):
            for record in _records(source):
                self._before(source is client, record)
                target.sendall(record)
        client.recv(1, socket.MSG_PEEK)
        with connect(self._server_port, 15) as upstream:
            pump(client, upstream, carry=carry)


class SlowRelay(Listener):
    """Makes a slow peer of the one that it stands before: it hands us that one's octets one by one if it `dribbles`, or
    else takes ours in small pieces, and behind the first `holds_after` none at all before release(). It holds between
    two records: tools that block in the middle of one would never come to send theirs.

    ours_is_server: which of the two is ours. `arrived` counts the octets of the other one.
    """

    PIECE = 16384
    WINDOW = 16384  # what the kernel is asked to hold of what has not been read

    def __init__(self, kit, server_port, ours_is_server, dribbles=False, holds_after=None):
        self._server_port, self._ours_is_server, self._dribbles = server_port, ours_is_server, dribbles
        self._holds_after = holds_after
        self._released = threading.Event()
        self.arrived = 0
        # An accepted socket has the window of the one that listens.
        super().__init__(kit, self._relay, receive_buffer=None if dribbles or ours_is_server else self.WINDOW)
        kit.at_end(self.release)

    def release(self):
        self._released.set()

    def _relay(self, client):
        window = self.WINDOW if self._ours_is_server and not self._dribbles else None
        with connect(self._server_port, 15, receive_buffer=window) as server:
            ours = server if self._ours_is_server else client

            def carry(source, target):
                (self._carry_ours if source is ours else self._carry_theirs)(source, target)
            pump(client, server, carry=carry)

    def _carry_ours(self, source, target):
        carried = 0
        for data in _records(source) if self._holds_after is not None else self._pieces(source):
            target.sendall(data)
            carried += len(data)
            if not self._dribbles:
                time.sleep(0.0005)
            if self._holds_after is not None and carried >= self._holds_after and not self._released.wait(20):
                raise TimeoutError("the relay was never released")

    def _pieces(self, source):
        while data := source.recv(self.PIECE):
            yield data

    def _carry_theirs(self, source, target):
        while data := source.recv(65536):
            self.arrived += len(data)
            if not self._dribbles:
                target.sendall(data)
                continue
            for at in range(len(data)):
                target.sendall(data[at:at + 1])
                time.sleep(0.00002)  # so that it is mostly read alone; nothing depends on that
