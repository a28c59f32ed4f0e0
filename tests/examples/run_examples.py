#!/usr/bin/python3
"""Runs every example program against its pair and against peers that misbehave."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness.cases import main  # noqa: E402
from examples import applications, authority, bad_input, defaults, hostile, hostile_tls, onion  # noqa: E402,F401
from examples import pairs, pool, ports, privacy, server_names, tls, tunnel, volume  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(main(__doc__))
