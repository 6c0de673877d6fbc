"""The rig's own certificate authority, and a certificate for the names that the front answers under."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Sequence
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


def prepare(folder: Path, names: Sequence[str]) -> tuple[Path, Path]:
    """Make what is missing: `ca.pem`, `bundle.pem` (everybody's authorities and ours), and a fresh server certificate.

    Returns certificate and key. The authority is good for exactly these names: whoever steals it can be nobody else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = _authority(folder, names)
    server = ec.generate_private_key(ec.SECP256R1())
    signed = (
        _named("shipper rig", server, certificate.subject, 365)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.key").touch(mode=0o600)
    (folder / "server.key").write_bytes(_pem(server))
    (folder / "server.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    ours = (folder / "ca.pem").read_text()
    system = ssl.get_default_verify_paths().openssl_cafile
    others = Path(system).read_text() if Path(system).exists() else ""
    (folder / "bundle.pem").write_text("\n".join([certifi.contents(), others, ours]))
    return folder / "server.pem", folder / "server.key"


def _authority(folder: Path, names: Sequence[str]) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_file, file = folder / "ca.key", folder / "ca.pem"
    limits = x509.NameConstraints([x509.DNSName(name) for name in sorted(names)], None)
    if file.exists() and key_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        if (
            isinstance(key, ec.EllipticCurvePrivateKey)
            and certificate.extensions.get_extension_for_class(x509.NameConstraints).value == limits
            and certificate.not_valid_after_utc > _now() + 365 * _DAY
        ):
            return key, certificate
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shipper rig authority")])
    certificate = (
        _named("shipper rig authority", key, subject, 3650)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(limits, critical=True)
        .sign(key, hashes.SHA256())
    )
    key_file.touch(mode=0o600)
    key_file.write_bytes(_pem(key))
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def _named(name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _DAY)
        .not_valid_after(_now() + days * _DAY)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
