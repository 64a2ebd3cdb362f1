"""What anybody may read: metadata, keys, health, metrics."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson

from apiclients.gate.metrics import CONTENT_TYPE
from apiclients.gate.replies import FAILED, JSON, NO_STORE, UNAVAILABLE, Reply, not_allowed
from apiclients.gate.service import Gate
from apiclients.gate.signing import JWKS_MAX_AGE
from apiclients.gate.tally import log_crash
from apiclients.resources.keys import Algorithm

_METADATA = b"/.well-known/oauth-authorization-server"
#: Many gateways look only there.
_METADATA_ALIAS = b"/.well-known/openid-configuration"
_JWK_SET = (b"content-type", b"application/jwk-set+json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_PUBLIC = (b"cache-control", b"public, max-age=%d" % JWKS_MAX_AGE)

Document = Callable[[], Awaitable[Reply]]


class Documents:
    """The documents of one gate, by raw path."""

    def __init__(self, gate: Gate, render_metrics: Callable[[], Awaitable[bytes]]) -> None:
        self._gate = gate
        self._render_metrics = render_metrics
        self._metadata_json = orjson.dumps(metadata(gate.issuer))
        # RFC 8414 section 3.1: the path of an issuer follows the well-known one.
        of_issuer = _METADATA + urlsplit(gate.issuer).path.encode()
        self._documents: dict[bytes, Document] = {
            _METADATA: self._metadata,
            _METADATA_ALIAS: self._metadata,
            of_issuer: self._metadata,
            b"/jwks": self._jwks,
            b"/healthz": self._healthz,
            b"/readyz": self._readyz,
            b"/metrics": self._metrics,
        }

    def __contains__(self, path: bytes) -> bool:
        return path in self._documents

    async def answer(self, method: str, path: bytes) -> Reply:
        """The document at one of the paths. Whatever happens, there is an answer without inner details."""
        if method not in {"GET", "HEAD"}:
            return not_allowed(b"GET", b"HEAD")
        try:
            return await self._documents[path]()
        except Exception as error:
            log_crash(self._gate.tally, error)
            return FAILED

    async def _metadata(self) -> Reply:
        """Authorization server metadata (RFC 8414)."""
        return _reply(200, self._metadata_json, JSON, _PUBLIC)

    async def _jwks(self) -> Reply:
        """The public keys (RFC 7517), those that will sign later included (rule 25)."""
        ring = self._gate.keys.ring
        return _reply(200, ring.jwks, _JWK_SET, _PUBLIC) if ring is not None else UNAVAILABLE

    async def _healthz(self) -> Reply:
        """The process lives."""
        return _reply(200, b"ok\n", _TEXT, NO_STORE)

    async def _readyz(self) -> Reply:
        """The gate decides (rules 17, 25 and 26)."""
        problem = self._gate.problem()
        if problem is None:
            return _reply(200, b"ready\n", _TEXT, NO_STORE)
        return _reply(503, f"not ready: {problem.sentence}\n".encode(), _TEXT, NO_STORE)

    async def _metrics(self) -> Reply:
        """For Prometheus."""
        return _reply(200, await self._render_metrics(), (b"content-type", CONTENT_TYPE), NO_STORE)


def metadata(issuer: str) -> dict[str, object]:
    """What RFC 8414 section 2 asks for. ``response_types_supported`` has to be there; nobody is redirected here."""
    methods = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "access_token_signing_alg_values_supported": [algorithm.value for algorithm in Algorithm],
    }


def _reply(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status, [*headers, (b"content-length", b"%d" % len(body))], body)
