"""The TLS of connections to the API server, made anew when the certificates that it is made of have changed."""

from __future__ import annotations

import logging
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from apiclients.kube.errors import ConfigurationError

logger = logging.getLogger(__name__)

_REREAD_SECONDS = 10.0


class Interval:
    """How often something is looked at that somebody else keeps fresh."""

    def __init__(self, seconds: float = _REREAD_SECONDS) -> None:
        self._seconds = seconds
        self._last = float("-inf")

    def due(self) -> bool:
        """Whether it is time; if so, the next time is an interval away."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What a TLS context is made of, as PEM."""

    #: Whom to trust; None for the authorities of the system.
    authority: str | None = None
    #: The client certificate and its key, if one is presented.
    pair: tuple[bytes, bytes] | None = field(default=None, repr=False)
    #: False only where the kubeconfig says ``insecure-skip-tls-verify``.
    verify: bool = True


class Tls:
    """The TLS context that new connections use.

    ``read`` returns what it is made of at the time. It is called every 10 s while connections are made, and by
    `refresh`. A changed result makes a new context; what cannot be used leaves the old one in use.
    """

    def __init__(self, read: Callable[[], TlsMaterial]) -> None:
        """Raises OSError, ValueError and ConfigurationError if what is read cannot be used."""
        self._read = read
        self._interval = Interval()
        self._interval.due()
        self._material = read()
        self._context = _context(self._material)

    def current(self) -> ssl.SSLContext:
        """The context for a new connection."""
        if self._interval.due():
            self.refresh()
        return self._context

    def refresh(self) -> None:
        """Read the certificates again, as somebody should who was refused with them."""
        try:
            material = self._read()
            if material == self._material:
                return
            self._context = _context(material)
        except (OSError, ValueError, ConfigurationError) as error:
            logger.warning("the certificates for the API server cannot be read again, the old ones stay: %s", error)
            return
        self._material = material
        logger.info("using the new certificates for the API server")


def _context(material: TlsMaterial) -> ssl.SSLContext:
    if material.authority is not None and not material.authority.strip():
        raise ValueError("the certificate authority is empty")  # Python would trust the system's instead
    context = ssl.create_default_context(cadata=material.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The API server's own certificates, and those of many private authorities, lack extensions that 3.13 asks for.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if material.pair is not None:
        _present(context, *material.pair)
    if not material.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Present a client certificate. Raises ValueError and OSError for what is none."""
    # OpenSSL takes them from files only; these are readable by their owner alone, and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "pair.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(pair)
