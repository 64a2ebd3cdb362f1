"""An issuer of somebody else: keys, tokens of any kind, and a server with a certificate that tells the keys."""

import datetime as dt
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

Key = RSAKey | ECKey | OKPKey
AUDIENCE = "https://api.example.com"
_MAKERS: dict[str, Callable[[], Key]] = {
    "RS": lambda: RSAKey.generate_key(2048),
    "PS": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "ES512": lambda: ECKey.generate_key("P-521"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}


class ForeignIssuer:
    """Signs what it is asked to."""

    def __init__(self, name: str = "https://kc.example.com/realms/x", **algorithms: str) -> None:
        """``algorithms`` by the id of the key; one ES256 key called ``first`` by default."""
        self.name = name
        self.keys: dict[str, Key] = {}
        self.algorithms: dict[str, str] = {}
        for kid, algorithm in (algorithms or {"first": "ES256"}).items():
            self.add(kid, algorithm)

    def add(self, kid: str, algorithm: str = "ES256") -> None:
        """Have another key."""
        self.keys[kid] = _MAKERS.get(algorithm[:2], _MAKERS.get(algorithm, _MAKERS["ES256"]))()
        self.algorithms[kid] = algorithm

    def drop(self, kid: str) -> None:
        """Have a key no longer."""
        del self.keys[kid]

    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [self.jwk(kid) for kid in self.keys]}

    def jwk(self, kid: str, **more: Any) -> dict[str, Any]:
        """One of them."""
        return {**self.keys[kid].as_dict(private=False), "kid": kid, "use": "sig", **more}

    def token(self, subject: str = "team-a-billing", **changes: Any) -> str:
        """A token with these claims; None leaves one out. ``kid`` signs, ``header`` changes the header."""
        kid: str = changes.pop("kid", next(iter(self.keys)))
        header: dict[str, Any] = changes.pop("header", {})
        now = int(time.time())
        claims = {"iss": self.name, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600, "jti": f"{now}"}
        algorithm = self.algorithms[kid]
        return sign(
            self.keys[kid], _kept({"alg": algorithm, "typ": "JWT", "kid": kid} | header), _kept(claims | changes)
        )


def sign(key: Any, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JWS, whatever its header says."""
    registry = jws.JWSRegistry(algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False)
    return jws.serialize_compact(header, json.dumps(claims), key, registry=registry)


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class Documents:
    """What the server answers, by path: JSON, or a function that answers by itself."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    documents: Documents

    def do_GET(self) -> None:
        self.documents.asked.append(self.path)
        found = self.documents.answers.get(self.path)
        if callable(found):
            found(self)
        elif found is None:
            self.send_error(404)
        else:
            self.answer(json.dumps(found).encode())

    def answer(self, body: bytes, content_type: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that break off are what is tested."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, Documents]]:
    """A server on this machine: its URL, the certificate of its authority in PEM, and what it answers."""
    certificate, key = _certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    documents = Documents()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"documents": documents}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}", certificate.read_text(), documents
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "issuer.crt", folder / "issuer.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths
