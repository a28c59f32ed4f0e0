#!/usr/bin/python3
"""echoserv over TLS."""

from twisted.internet import protocol

from common import own_certificate, pin, serve, server_parser
from echoserv import Echo

parser = server_parser()
parser.add_argument("--cert", required=True)
args = parser.parse_args()
serve(args, protocol.Factory.forProtocol(Echo), pin(own_certificate(args.cert).options(), args.tls))
