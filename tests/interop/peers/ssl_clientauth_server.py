#!/usr/bin/python3
"""echoserv over TLS for clients whose certificate an authority has signed."""

from twisted.internet import protocol

from common import authority, own_certificate, pin, serve, server_parser
from echoserv import Echo

parser = server_parser()
parser.add_argument("--cert", required=True)
parser.add_argument("--client-ca", required=True)
args = parser.parse_args()
options = own_certificate(args.cert).options(authority(args.client_ca))
serve(args, protocol.Factory.forProtocol(Echo), pin(options, args.tls))
