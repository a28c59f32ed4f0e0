#!/usr/bin/python3
"""A line, ten thousand times, over the standard library's ssl: one connection, then the end."""

import argparse
import contextlib
import socket
import ssl

LINE = b"Beautiful is better than ugly"


def forward_secret(context):
    """TLS 1.2 with ephemeral elliptic-curve keys and AES-128 only."""
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
    context.set_ciphers("ECDH+AES128")


def serve(args):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=args.ca)
    context.load_cert_chain(args.c)
    if args.pfs:
        forward_secret(context)
    with socket.create_server((args.host, args.port)) as listener:
        print("LISTENING", listener.getsockname()[1], flush=True)
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            print("local", connection.getsockname(), "peer", connection.getpeername(), flush=True)
            connection.sendall(LINE * 10000)
            with contextlib.suppress(ssl.SSLError, OSError):  # a client that says something needs no answer
                connection.unwrap()


def fetch(args):
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=args.ca)
    if args.pfs:
        forward_secret(context)
    with socket.create_connection((args.host, args.port)) as plain:
        with context.wrap_socket(plain, server_hostname=args.host) as connection:
            print("local", connection.getsockname(), "peer", connection.getpeername(), connection.cipher(), flush=True)
            data = b""
            while piece := connection.recv(65536):
                data += piece
    # The line is the server's to choose; what counts is that it came whole, ten thousand times.
    length, rest = divmod(len(data), 10000)
    whole = length > 0 and rest == 0 and data == data[:length] * 10000
    print(f"{'OK' if whole else 'BAD'}: {len(data)} octets", flush=True)
    raise SystemExit(0 if whole else 1)


parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("role", choices=["client", "server"])
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("-ca")
parser.add_argument("-c")
parser.add_argument("--pfs", action="store_true")
arguments = parser.parse_args()
(serve if arguments.role == "server" else fetch)(arguments)
