#!/usr/bin/python3
"""echoclient over TLS."""

from common import add_trust, client_parser, run_client, trusting
from echoclient import EchoClient

parser = client_parser()
add_trust(parser)
args = parser.parse_args()
run_client(args, EchoClient(), trusting(args))
