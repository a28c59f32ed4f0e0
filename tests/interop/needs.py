"""Whether the peers are there; a pairing whose peer is missing is skipped and says so."""

import functools
import pathlib
import shutil
import subprocess

from harness.cases import PYTHON
from harness.programs import Skipped

PEERS = pathlib.Path(__file__).resolve().parent / "peers"


@functools.lru_cache(maxsize=None)
def _imports(modules):
    return subprocess.run([PYTHON, "-c", f"import {modules}"], capture_output=True, check=False).returncode == 0


def twisted():
    if not _imports("twisted, OpenSSL, service_identity"):
        raise Skipped("python3-twisted, python3-openssl or python3-service-identity is missing")


def tool(name):
    if shutil.which(name) is None:
        raise Skipped(f"the command {name} is missing")
    return name
