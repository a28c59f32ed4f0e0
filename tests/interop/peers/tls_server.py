#!/usr/bin/python3
"""What s_server is for OpenSSL: prints the lines that come over TLS, and sends them back unless it is told not to."""

from twisted.internet import protocol, ssl
from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from common import Reporting, own_certificate, pin, say, serve, server_parser


@implementer(IHandshakeListener)
class Lines(Reporting, protocol.Protocol):
    def handshakeCompleted(self):
        agreed = self.transport.negotiatedProtocol
        say("negotiated:", agreed.decode() if agreed else "none")

    def dataReceived(self, data):
        if args.silent:
            for line in data.splitlines():
                say("received:", line.decode("utf-8", "replace"))
        else:
            self.transport.write(data)


parser = server_parser()
parser.add_argument("--cert", required=True)
parser.add_argument("--protocols")
parser.add_argument("--silent", action="store_true", help="only print what comes")
args = parser.parse_args()
own = own_certificate(args.cert)
protocols = [name.encode() for name in args.protocols.split(",")] if args.protocols else None
options = ssl.CertificateOptions(own.privateKey.original, own.original, acceptableProtocols=protocols)
serve(args, protocol.Factory.forProtocol(Lines), pin(options, args.tls))
