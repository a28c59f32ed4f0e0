#!/usr/bin/python3
"""Agrees on an application protocol, echoes the first octets, closes."""

from twisted.internet import protocol, ssl
from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from common import Reporting, own_certificate, pin, say, serve, server_parser


@implementer(IHandshakeListener)
class Negotiated(Reporting, protocol.Protocol):
    def handshakeCompleted(self):
        agreed = self.transport.negotiatedProtocol
        say("negotiated:", agreed.decode() if agreed else "none")

    def dataReceived(self, data):
        self.transport.write(data)
        self.transport.loseConnection()


parser = server_parser()
parser.add_argument("--cert", required=True)
parser.add_argument("--protocols", default="h2,http/1.1")
args = parser.parse_args()
own = own_certificate(args.cert)
options = ssl.CertificateOptions(own.privateKey.original, own.original,
                                 acceptableProtocols=[p.encode() for p in args.protocols.split(",")])
serve(args, protocol.Factory.forProtocol(Negotiated), pin(options, args.tls))
