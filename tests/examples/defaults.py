"""Programs without any flag: the documents' ports, on localhost, with the certificates beside the executables.

Fixed ports need a network of one's own, which the kernel gives to an unprivileged process if it may have one.
"""

import pathlib
import shutil
import subprocess

from harness.cases import PYTHON, add_case
from harness.programs import Failed, Skipped

from .steps import PAIRS


def without_flags(kit, server, client):
    separate = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*separate, "true"], capture_output=True).returncode != 0:
        raise Skipped("this system gives no network namespace, and the default ports may be taken")
    if kit.path(server)[0] == PYTHON:
        raise Skipped("the stand-ins have no certificates beside them")
    script = pathlib.Path(__file__).parent / "alone.py"
    alone = kit.run([*separate, PYTHON, script, *kit.path(server), *kit.path(client)], f"{server} and {client}")
    if alone.wait(30) != 0:
        raise Failed(f"{client} is not content with {server}")


for server_name, client_name, _ in PAIRS:
    add_case("pairs", f"no-flags/{server_name}", without_flags, server_name, client_name)
add_case("pairs", "no-flags/echoserv/line_echo_client", without_flags, "echoserv", "line_echo_client")
