"""Certificates for one run of the tests, made with the openssl command."""

import pathlib
import subprocess

_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_RSA = ["-newkey", "rsa:2048", "-nodes"]


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


class Certificates:
    """Files NAME.pem hold key and certificate, NAME_public.pem the certificate alone.

    server, reversed   example.com, signed by ca; the latter has the certificate first
    local              localhost, 127.0.0.1 and ::1, signed by ca
    client             a client, signed by ca;  stranger  a client signed by other_ca
    other_server       example.com, signed by other_ca
    wrong_host         wrong.example, signed by ca;  expired  example.com, signed by ca, not valid any more
    layer1..3          layerN.example, signed by themselves: one authority a layer
    mismatched         the key of one with the certificate of another;  garbage  no PEM at all
    no_key, no_certificate  half of what is needed
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._authority("ca")
        self._authority("other_ca")
        self._signed("server", "ca", "example.com", "DNS:example.com", kind=_RSA)
        self._signed("local", "ca", "localhost", "DNS:localhost,IP:127.0.0.1,IP:::1")
        self._signed("client", "ca", "a client", "DNS:client.example")
        self._signed("stranger", "other_ca", "a stranger", "DNS:client.example")
        self._signed("other_server", "other_ca", "example.com", "DNS:example.com")
        self._signed("wrong_host", "ca", "wrong.example", "DNS:wrong.example")
        self._expired("expired", "ca", "example.com")
        for layer in (1, 2, 3):
            self._self_signed(f"layer{layer}", f"layer{layer}.example")
        key, certificate = self._parts("server")
        self._write("reversed.pem", certificate + key)
        self._write("mismatched.pem", self._parts("client")[0] + certificate)
        self._write("garbage.pem", "this is not PEM\n")
        self._write("no_key.pem", certificate)
        self._write("no_certificate.pem", key)

    def __getattr__(self, name):
        """certs.server is the path of server.pem."""
        path = self.folder / f"{name}.pem"
        if name.startswith("_") or not path.exists():
            raise AttributeError(name)
        return str(path)

    def _path(self, name):
        return self.folder / name

    def _write(self, name, text):
        self._path(name).write_text(text)

    def _parts(self, name):
        return self._path(f"{name}.key").read_text(), self._path(f"{name}_public.pem").read_text()

    def _join(self, name):
        self._write(f"{name}.pem", "".join(self._parts(name)))

    def _authority(self, name):
        _openssl("req", "-x509", *_EC, "-subj", f"/CN=Test {name}", "-days", 30, "-keyout", self._path(f"{name}.key"),
                 "-out", self._path(f"{name}.pem"), "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _self_signed(self, name, common_name):
        _openssl("req", "-x509", *_EC, "-subj", f"/CN={common_name}", "-days", 30, "-keyout", self._path(f"{name}.key"),
                 "-out", self._path(f"{name}_public.pem"), "-addext", f"subjectAltName=DNS:{common_name}")
        self._join(name)

    def _signed(self, name, authority, common_name, alternative, kind=None):
        _openssl("req", "-x509", "-CA", self._path(f"{authority}.pem"), "-CAkey", self._path(f"{authority}.key"),
                 *(kind or _EC), "-subj", f"/CN={common_name}", "-days", 30, "-keyout", self._path(f"{name}.key"),
                 "-out", self._path(f"{name}_public.pem"), "-addext", f"subjectAltName={alternative}",
                 "-addext", "basicConstraints=CA:FALSE")
        self._join(name)

    def _expired(self, name, authority, common_name):
        request, extensions = self._path(f"{name}.csr"), self._path(f"{name}.ext")
        extensions.write_text(f"subjectAltName=DNS:{common_name}\n")
        _openssl("req", *_EC, "-subj", f"/CN={common_name}", "-keyout", self._path(f"{name}.key"), "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self._path(f"{authority}.pem"), "-CAkey",
                 self._path(f"{authority}.key"), "-CAcreateserial", "-days", -1, "-extfile", extensions,
                 "-out", self._path(f"{name}_public.pem"))
        self._join(name)
