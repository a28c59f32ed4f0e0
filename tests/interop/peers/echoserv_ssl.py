#!/usr/bin/python3
"""echoserv over TLS."""

from OpenSSL import SSL
from twisted.internet import protocol

from common import own_certificate, pin, serve, server_parser
from echoserv import Echo

parser = server_parser()
parser.add_argument("--cert", required=True)
parser.add_argument("--sessions", action="store_true", help="let clients resume, out of a cache and by tickets")
args = parser.parse_args()
options = own_certificate(args.cert).options()
if args.sessions:
    context = options.getContext()
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    # Twisted forbids tickets, and pyOpenSSL has no way to take an option back.
    SSL._lib.SSL_CTX_clear_options(context._context, SSL.OP_NO_TICKET)
serve(args, protocol.Factory.forProtocol(Echo), pin(options, args.tls))
