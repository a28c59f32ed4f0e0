#!/usr/bin/python3
"""Runs every example program, role by role, against peers that are not ours, and prints a line for each pairing."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness.cases import main  # noqa: E402
from interop import (alpn, client_certificates, endings, onion_peers, resumption, revocation, slow_and_dead,
                     starttls_tools, tool_clients, tool_servers, twisted_peers,
                     unix_sockets)  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(main(__doc__))
