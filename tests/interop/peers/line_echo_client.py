#!/usr/bin/python3
"""As echoclient, which reads lines too."""

from common import client_parser, run_client
from echoclient import EchoClient

run_client(client_parser().parse_args(), EchoClient())
