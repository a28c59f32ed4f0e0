"""What the runners of tests/examples and tests/interop share: programs, certificates, cases, sockets, TLS by hand."""
