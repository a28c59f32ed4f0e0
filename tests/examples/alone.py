#!/usr/bin/python3
"""alone.py SERVER CLIENT: runs both without flags in a fresh network namespace; the client's status."""

import fcntl
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS, IFF_UP_AND_RUNNING = 0x8914, 0x41

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP_AND_RUNNING))

server = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
try:
    for line in server.stdout:
        print("server:", line, end="", flush=True)
        if line.startswith("LISTENING "):
            break
    status = subprocess.run([sys.argv[2]], timeout=20, check=False).returncode
    server.terminate()
    print("server:", server.communicate(timeout=5)[0], flush=True)
    sys.exit(status or server.returncode)
finally:
    server.kill()
