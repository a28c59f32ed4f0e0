#!/usr/bin/python3
"""Shows the certificate of a server that a verified connection could be made to."""

from twisted.internet import protocol, ssl

from common import ClientMixin, add_trust, client_parser, run_client, trusting


class ShowCertificate(ClientMixin, protocol.Protocol):
    must_end_cleanly = False

    def connectionMade(self):
        self.transport.write(b"GET / HTTP/1.0\r\n\r\n")

    def dataReceived(self, data):
        self.fulfilled = str(ssl.Certificate(self.transport.getPeerCertificate()))
        self.transport.abortConnection()


parser = client_parser(443)
add_trust(parser)
args = parser.parse_args()
run_client(args, ShowCertificate(), trusting(args))
