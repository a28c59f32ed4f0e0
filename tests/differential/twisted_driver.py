#!/usr/bin/python3
"""One end of many connections, on real Twisted. Commands come on stdin, traces go to stdout: see README.md."""

import pathlib
import sys
import zlib

from OpenSSL import SSL
from twisted.internet import interfaces, protocol, reactor, ssl
from twisted.protocols import basic
from zope.interface import implementer

from octets import Stream, received

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_HTTP = b"HTTP/1.0 400 Bad Request\r\n\r\n"


class ScriptError(Exception):
    """What the action `throw` raises."""


class End:
    """What one command asks of one end."""

    def __init__(self, words):
        self.verb, self.name = words[0], words[1]
        self.options, self.rules = {}, []
        for word in words[2:]:
            key, _, value = word.partition("=")
            if key == "on":
                trigger, _, actions = value.partition("/")
                self.rules.append((trigger, actions.split(",")))
            else:
                self.options[key] = value

    def get(self, key, otherwise=""):
        return self.options.get(key, otherwise)


class Recipes:
    """Makes the TLS options that an end asks for, once for all ends that ask for the same."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.known = {}

    def read(self, name):
        return (self.folder / f"{name}.pem").read_bytes()

    def get(self, end, client):
        wanted = (client, end.get("cert"), end.get("ca"), end.get("host"), end.get("alpn"), end.get("version"))
        if wanted not in self.known:
            self.known[wanted] = self.make(client, *wanted[1:])
        return self.known[wanted]

    def make(self, client, cert, ca, host, alpn, version):
        own = ssl.PrivateCertificate.loadPEM(self.read(cert)) if cert else None
        authority = ssl.Certificate.loadPEM(self.read(ca)) if ca else None
        protocols = [name.encode() for name in alpn.split("+")] if alpn else None
        if client:
            options = ssl.optionsForClientTLS(host, authority, own, acceptableProtocols=protocols)
            context = options._ctx
        else:
            options = ssl.CertificateOptions(own.privateKey.original, own.original, trustRoot=authority,
                                             acceptableProtocols=protocols)
            context = options.getContext()
        if version:
            context.set_min_proto_version(_VERSIONS[version])
            context.set_max_proto_version(_VERSIONS[version])
        return options


@implementer(interfaces.IPushProducer)
class Push:
    """Writes its pieces whenever it may, then unregisters. With none it stays registered and idle."""

    def __init__(self, script, pieces, size):
        self.script, self.left, self.size = script, pieces, size
        self.paused = self.writing = False

    def start(self):
        self.script.transport.registerProducer(self, True)
        self.go()

    def go(self):
        if self.writing or self.size is None:
            return
        self.writing = True
        while self.left and not self.paused:
            self.left -= 1
            self.script.send(self.size)
        self.writing = False
        if not self.left:
            self.size = None
            self.script.transport.unregisterProducer()

    def pauseProducing(self):
        self.paused = True

    def resumeProducing(self):
        self.paused = False
        self.go()

    def stopProducing(self):
        self.left, self.size = 0, None
        self.script.note("stop")


@implementer(interfaces.IPullProducer)
class Pull:
    """Writes a piece each time it is asked, then unregisters."""

    def __init__(self, script, pieces, size):
        self.script, self.left, self.size = script, pieces, size

    def start(self):
        self.script.transport.registerProducer(self, False)

    def resumeProducing(self):
        if not self.left:
            return
        self.left -= 1
        self.script.send(self.size)
        if not self.left:
            self.script.transport.unregisterProducer()

    def stopProducing(self):
        self.left = 0
        self.script.note("stop")


@implementer(interfaces.IHandshakeListener)
class Script(protocol.Protocol):
    """Does what the rules of its end say, and notes what happens to it."""

    def __init__(self, end, driver):
        self.end, self.driver = end, driver
        self.rules = list(end.rules)
        self.events = []
        self.received, self.checksum, self.sent = 0, 1, 0
        self.closed = self.secure = False
        self.stream = driver.stream(end.get("salt", "0"))

    # What happens.

    def connectionMade(self):
        self.note("made")
        self.fire("made")

    def handshakeCompleted(self):
        connection = self.transport.getHandle()
        certificate = connection.get_peer_certificate()
        name = certificate.get_subject().CN if certificate else "-"
        alpn = connection.get_alpn_proto_negotiated().decode() or "-"
        self.secure = True
        self.note(f"handshake({connection.get_protocol_version_name()},{alpn},{name.replace(' ', '_')})")
        self.fire("handshake")

    def dataReceived(self, data):
        if self.closed:
            self.note("late")
            return
        if self.events[-1] != "data":
            self.note("data")
        limit = int(self.end.get("stop", "0")) or self.received + len(data)
        data = data[:max(0, limit - self.received)]
        self.received += len(data)
        self.checksum = zlib.adler32(data, self.checksum)
        while True:
            due = [r for r in self.rules if r[0].startswith("recv") and int(r[0][4:]) <= self.received]
            if not due:
                return
            self.run(due[0])

    def readConnectionLost(self):
        self.note("readlost")
        self.fire("readlost")

    def writeConnectionLost(self):
        self.note("writelost")
        self.fire("writelost")

    def connectionLost(self, reason):
        certificate = self.transport.getPeerCertificate() if self.secure else None
        suffix = f",{certificate.get_subject().CN.replace(' ', '_')}" if certificate else ""
        self.note(f"lost({reason.type.__name__}{suffix})")
        reactor.callLater(0, self.report)
        self.fire("lost")

    def note(self, event):
        self.events.append(event)

    def report(self):
        data = "received=-" if self.end.get("opaque") else received(self.received, self.checksum)
        self.driver.say("TRACE", self.end.name, *self.events, data)

    # What is done.

    def fire(self, trigger):
        for rule in [r for r in self.rules if r[0] == trigger]:
            self.run(rule)

    def run(self, rule):
        self.rules.remove(rule)
        self.perform(rule[1])

    def perform(self, actions):
        for index, action in enumerate(actions):
            name, _, argument = action.partition(":")
            if name == "turn":
                reactor.callLater(0, self.perform, actions[index + 1:])
                return
            getattr(self, "do_" + name)(*argument.split("x") if argument else ())

    def take(self, size):
        self.sent += size
        return self.stream.piece(self.sent - size, size)

    def send(self, size):
        self.transport.write(self.take(size))

    def do_w(self, size):
        self.send(int(size))

    def do_q(self, pieces, size):
        self.transport.writeSequence([self.take(int(size)) for _ in range(int(pieces))])

    def do_push(self, pieces, size):
        Push(self, int(pieces), int(size)).start()

    def do_pull(self, pieces, size):
        Pull(self, int(pieces), int(size)).start()

    def do_hold(self):
        Push(self, 0, None).start()

    def do_unreg(self):
        self.transport.unregisterProducer()

    def do_http(self):
        self.transport.write(_HTTP)

    def do_lose(self):
        self.closed = True
        self.transport.loseConnection()

    def do_abort(self):
        self.closed = True
        self.transport.abortConnection()

    def do_losewrite(self):
        self.transport.loseWriteConnection()

    def do_cut(self):
        self.closed = True
        # Of a connection that startTLS upgraded, TLS is the protocol; of others it is the transport.
        below = self.transport.protocol if self.end.get("tls") == "start" else self.transport
        below.transport.loseConnection()

    def do_pause(self):
        self.transport.pauseProducing()

    def do_resume(self):
        self.transport.resumeProducing()

    def do_starttls(self, role=""):
        client = self.end.verb == "connect" if not role else role == "client"
        options = self.driver.recipes.get(self.end, client)
        self.transport.startTLS(options, client == (self.end.verb == "connect"))

    def do_throw(self):
        self.closed = True
        raise ScriptError("as the script says")


@implementer(interfaces.IHalfCloseableProtocol)
class HalfScript(Script):
    """The same for an end that goes on when one direction has ended."""


class OneShot(protocol.ClientFactory):
    noisy = False

    def __init__(self, end, driver):
        self.end, self.driver, self.port = end, driver, None

    def buildProtocol(self, address):
        if self.port is not None:
            self.port.stopListening()
        return (HalfScript if self.end.get("half") else Script)(self.end, self.driver)

    def clientConnectionFailed(self, connector, reason):
        self.driver.say("TRACE", self.end.name, f"failed({reason.type.__name__})")


class Driver(basic.LineReceiver):
    delimiter = b"\n"

    def __init__(self, folder):
        self.recipes = Recipes(folder)
        self.streams = {}

    def stream(self, salt):
        if salt not in self.streams:
            self.streams[salt] = Stream(int(salt))
        return self.streams[salt]

    def say(self, *words):
        self.transport.write(" ".join(words).encode() + b"\n")

    def lineReceived(self, line):
        end = End(line.decode().split())
        factory = OneShot(end, self)
        direct = end.get("tls") == "direct"
        if end.verb == "listen":
            if direct:
                port = reactor.listenSSL(0, factory, self.recipes.get(end, False), interface="127.0.0.1")
            else:
                port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            factory.port = port
            self.say("PORT", end.name, str(port.getHost().port))
        elif direct:
            reactor.connectSSL("127.0.0.1", int(end.get("port")), factory, self.recipes.get(end, True))
        else:
            reactor.connectTCP("127.0.0.1", int(end.get("port")), factory)

    def connectionLost(self, reason):
        reactor.stop()


if __name__ == "__main__":
    from twisted.internet import stdio
    stdio.StandardIO(Driver(sys.argv[1]))
    reactor.run()
