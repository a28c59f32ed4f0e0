#!/usr/bin/python3
"""echoclient over TLS, with a certificate of its own."""

from common import add_trust, client_parser, own_certificate, run_client, trusting
from echoclient import EchoClient

parser = client_parser()
add_trust(parser)
parser.add_argument("--cert")
args = parser.parse_args()
run_client(args, EchoClient(), trusting(args, own_certificate(args.cert) if args.cert else None))
