"""TLS layers by hand over one socket, with the standard library only: an onion peer that can be made to misbehave."""

import socket
import ssl

from .programs import Failed
from .sockets import connect


def client_context(authority=None, version=None, certificate=None):
    """Verifies against the file `authority`, or not at all. version: "1.2" or "1.3" pins it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority)
    if certificate is not None:
        context.load_cert_chain(certificate)
    return _pin(context, version)


def server_context(certificate, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return _pin(context, version)


def _pin(context, version):
    if version is not None:
        context.minimum_version = context.maximum_version = {
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    return context


class _Layer:
    def __init__(self, context, server_side, hostname):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side, server_hostname=hostname)
        self.closed = False  # the peer's close_notify has been read


class Layered:
    """A line-speaking end of an onion. Layer 0 is the socket; `layers` go from the outermost to the innermost.

    Octets behind a close_notify are handed to the layer below, as the wire description demands.
    """

    def __init__(self, sock, timeout=10):
        self.sock = sock
        self.sock.settimeout(timeout)
        self.layers = []
        self.text = b""  # what the innermost layer has delivered
        self._ended = False

    @classmethod
    def to(cls, port, timeout=10):
        return cls(connect(port, timeout), timeout)

    @property
    def depth(self):
        return len(self.layers)

    def push(self, context, hostname=None, server_side=False, between=b""):
        """Puts a layer on and shakes hands. `between` are octets to send in the layer below just ahead of the hello."""
        layer = _Layer(context, server_side, hostname)
        layer.incoming.write(self.text)
        self.text = b""
        if between:
            self._send_below(self.depth, between)
        self.layers.append(layer)
        while True:
            try:
                layer.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush(self.depth)
                self._fill(self.depth - 1)
        self._flush(self.depth)
        return layer.tls

    def send_line(self, line):
        self.send(line + b"\r\n")

    def send(self, data):
        self._send_below(self.depth, data)

    def read_line(self):
        while b"\r\n" not in self.text:
            if not self._pull():
                raise Failed(f"the connection or layer {self.depth} ended after {self.text!r}, a line was due")
        line, _, self.text = self.text.partition(b"\r\n")
        return line

    def ask(self, line):
        self.send_line(line)
        return self.read_line()

    def push_by_lines(self, context, hostname=None):
        answer = self.ask(b"PUSH")
        if answer != b"READY":
            raise Failed(f"{answer!r} instead of READY")
        return self.push(context, hostname)

    def pop(self, then=b""):
        """POP, BYE, close_notify both ways; `then` goes out below in the same segment as our close_notify."""
        answer = self.ask(b"POP")
        if answer != b"BYE":
            raise Failed(f"{answer!r} instead of BYE")
        layer = self.layers[-1]
        while not layer.closed and self._pull():
            pass
        if not layer.closed:
            raise Failed(f"layer {self.depth} ended without close_notify")
        self.close_layer(then)
        self.text += layer.incoming.read()

    def close_layer(self, then=b""):
        """Sends close_notify, with `then` for the layer below behind it in one piece; takes the layer off."""
        layer = self.layers.pop()
        try:
            layer.tls.unwrap()
        except ssl.SSLError:
            pass  # the peer's close_notify has not come; ours has been made
        self._send_below(self.depth, layer.outgoing.read() + then)

    def take_layer_off(self):
        """Closes the innermost layer first and waits for the answer: the other end pops without having been asked."""
        layer = self.layers[-1]
        try:
            layer.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush(self.depth)
        while not layer.closed and self._pull():
            pass
        if not layer.closed:
            raise Failed("our close_notify was not answered")
        self.layers.pop()
        self.text = layer.incoming.read()

    def ended_cleanly(self):
        """Reads on to the end of the innermost layer; whether close_notify (or FIN without layers) ended it."""
        layer = self.layers[-1] if self.layers else None
        try:
            while self._pull():
                pass
        except (OSError, ssl.SSLError):
            return False
        return layer.closed if layer else True

    def close(self):
        self.sock.close()

    def _pull(self):
        """Reads more text from the innermost layer; False at its end."""
        if not self.layers:
            piece = self._receive()
            self.text += piece
            return bool(piece)
        layer = self.layers[-1]
        while True:
            try:
                piece = layer.tls.read(65536)
                self.text += piece
                if not piece:
                    layer.closed = True
                return bool(piece)
            except ssl.SSLWantReadError:
                self._flush(self.depth)
                if not self._fill(self.depth - 1):
                    return False
            except ssl.SSLZeroReturnError:
                layer.closed = True
                return False

    def _fill(self, depth):
        """Moves octets from layer `depth` into the layer above it; False if none will come."""
        target = self.layers[depth].incoming
        if depth == 0:
            piece = self._receive()
        else:
            piece = b""
            layer = self.layers[depth - 1]
            while not piece:
                try:
                    piece = layer.tls.read(65536)
                    if not piece:
                        break
                except ssl.SSLWantReadError:
                    if not self._fill(depth - 1):
                        break
                except ssl.SSLZeroReturnError:
                    break
        if piece:
            target.write(piece)
        elif depth == 0 and self.layers[-1].tls.version() is None:
            raise Failed("the connection ended in the handshake")
        return bool(piece)

    def _receive(self):
        try:
            return self.sock.recv(65536)
        except socket.timeout:
            raise Failed("the peer stayed silent") from None

    def _flush(self, depth):
        self._send_below(depth - 1, self.layers[depth - 1].outgoing.read())

    def _send_below(self, depth, data):
        """Sends data in layer `depth`, 0 being the socket."""
        if not data:
            return
        if depth == 0:
            self.sock.sendall(data)
            return
        self.layers[depth - 1].tls.write(data)
        self._flush(depth)
