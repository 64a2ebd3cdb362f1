"""The cluster's own certificate authority and keys, made anew for every data folder."""

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=365)

_NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
NODE_NAME = "node"
#: Where the API server is with a node: the address of its bridge.
NODE_ADDRESS = "10.244.0.1"
_ADDRESSES = ["127.0.0.1", "::1", "10.0.0.1", NODE_ADDRESS]


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pki:
    """The files of one cluster: its CA, the certificates of servers and clients, and the service-account keys."""

    ca: Path
    server: Pair
    admin: Pair
    controller_manager: Pair
    scheduler: Pair
    proxy: Pair
    kubelet: Pair
    service_account_key: Path
    service_account_public: Path


def ensure_pki(folder: Path) -> Pki:
    """Return the keys and certificates in ``folder``, made first if they are missing. They last a year.

    Raises ``OSError`` if the folder cannot be written.
    """
    pki = Pki(
        ca=folder / "ca.crt",
        server=_pair(folder, "server"),
        admin=_pair(folder, "admin"),
        controller_manager=_pair(folder, "controller-manager"),
        scheduler=_pair(folder, "scheduler"),
        proxy=_pair(folder, "proxy"),
        kubelet=_pair(folder, "kubelet"),
        service_account_key=folder / "service-accounts.key",
        service_account_public=folder / "service-accounts.pub",
    )
    # The CA certificate is written last: where it exists, all the rest does.
    if not pki.ca.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_service_account_keys(pki)
        make_certificates(pki)
    return pki


def make_certificates(pki: Pki) -> None:
    """Write a new CA and certificates that it has signed in the place of those that are there.

    The keys of service accounts stay, so their tokens stay good. Raises ``OSError`` if the folder cannot be written.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate_authority(ca_key)
    issuer = _Issuer(ca, ca_key)
    issuer.issue(pki.server, "kube-apiserver", server=True)
    issuer.issue(pki.admin, "admin", group="system:masters")
    issuer.issue(pki.controller_manager, "system:kube-controller-manager")
    issuer.issue(pki.scheduler, "system:kube-scheduler")
    issuer.issue(pki.proxy, "system:kube-proxy")
    issuer.issue(pki.kubelet, f"system:node:{NODE_NAME}", group="system:nodes")
    write_private(pki.ca, ca.public_bytes(serialization.Encoding.PEM))


def write_private(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that only the owner can ever read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)


def _pair(folder: Path, name: str) -> Pair:
    return Pair(folder / f"{name}.crt", folder / f"{name}.key")


def _make_service_account_keys(pki: Pki) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(pki.service_account_key, _key_pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_private(pki.service_account_public, public)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common: str, group: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("apiclient-operator local cluster")
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


@dataclass(frozen=True, slots=True)
class _Issuer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def issue(self, pair: Pair, common: str, *, group: str | None = None, server: bool = False) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if server:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = (
            _builder(_name(common, group), self.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(self._authority_identifier(), critical=False)
        )
        if server:
            builder = builder.add_extension(_alternative_names(), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        write_private(pair.key, _key_pem(key))
        write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def _authority_identifier(self) -> x509.AuthorityKeyIdentifier:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _alternative_names() -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    return x509.SubjectAlternativeName(names)
