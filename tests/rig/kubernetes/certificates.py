"""The cluster's own authority, and certificates for 127.0.0.1 that it signs. By openssl; standard library only."""

from __future__ import annotations

from pathlib import Path

from tests.rig.shell import run

_NAMES = "IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_SERVERS = ("apiserver", "gate")


def make(folder: Path) -> None:
    """`ca.{crt,key}`, `apiserver.{crt,key}`, `gate.{crt,key}`, and the key pair `sa.{key,pub}` of service accounts."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _authority(folder)
    for name in _SERVERS:
        server(folder, name)
    key = folder / "sa.key"
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
    run(["openssl", "ec", "-in", key, "-pubout", "-out", folder / "sa.pub"])


def _authority(folder: Path) -> None:
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    subject = ("-days", "3650", "-subj", "/CN=shipper rig kubernetes")
    run(["openssl", "req", "-x509", *_CURVE, "-keyout", folder / "ca.key", "-out", folder / "ca.crt", *subject, *usage])


def server(folder: Path, name: str) -> None:
    """A server's certificate as strict clients want it: with key identifiers and its usage."""
    extensions = folder / f"{name}.ext"
    extensions.write_text(
        f"subjectAltName={_NAMES}\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n"
        "basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    request = folder / f"{name}.csr"
    run(["openssl", "req", *_CURVE, "-keyout", folder / f"{name}.key", "-out", request, "-subj", f"/CN={name}"])
    signer = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "3650")
    run(["openssl", "x509", "-req", "-in", request, *signer, "-out", folder / f"{name}.crt", "-extfile", extensions])
