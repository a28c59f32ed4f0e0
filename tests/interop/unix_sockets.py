"""Our client over UNIX sockets, with socat's server and with Twisted's, whose lock file it looks for."""

import pathlib
import sys

from harness.cases import add_case
from harness.sockets import wait_until

from . import needs, tools

TWISTED = """
import sys
from twisted.internet import protocol, reactor, stdio
class Mirror(protocol.Protocol):
    def connectionMade(self):
        stdio.StandardIO(Input(self))
    def dataReceived(self, data):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
class Input(protocol.Protocol):
    def __init__(self, connected):
        self.connected_protocol = connected
    def dataReceived(self, data):
        self.connected_protocol.transport.write(data)
reactor.listenUNIX(sys.argv[1], protocol.Factory.forProtocol(Mirror), wantPID=True)
reactor.run()
"""


def _path(kit):
    return pathlib.Path(kit.scratch) / "unix.sock"


def _wait_listening(path):
    """The file is there a moment before the socket listens: the system's list tells."""
    accepts = "00010000"
    wait_until(lambda: any(line.split()[3] == accepts and line.endswith(f" {path}")
                           for line in pathlib.Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()),
               "a UNIX socket that listens")


def socat_listens(kit):
    path = _path(kit)
    peer = kit.run([needs.tool("socat"), f"UNIX-LISTEN:{path}", "-"], "socat")
    _wait_listening(path)
    kit.start("line_client", f"unix:{path}")
    tools.talk(peer)


def twisted_listens(kit):
    needs.twisted()
    path = _path(kit)
    peer = kit.run([sys.executable, "-c", TWISTED, str(path)], "Twisted")
    _wait_listening(path)
    kit.start("line_client", f"unix:{path}:lockfile=1")
    tools.talk(peer)


add_case("tools", "line_client/socat over a UNIX socket", socat_listens)
add_case("twisted", "line_client/twisted over a UNIX socket, with its lock file", twisted_listens)
