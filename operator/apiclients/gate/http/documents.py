"""What anybody may read: metadata and keys."""

from collections.abc import Awaitable, Callable, Mapping

import orjson

from apiclients.gate.http.paths import (
    AUTHORIZE,
    INTROSPECT,
    JWKS,
    OAUTH_METADATA,
    OPENID_METADATA,
    REVOKE,
    TOKEN,
    places,
    well_known_places,
)
from apiclients.gate.http.replies import FAILED, JSON, UNAVAILABLE, Reply, document_reply, error_reply, not_allowed
from apiclients.gate.state.tally import log_crash
from apiclients.gate.tokens.gate import Gate
from apiclients.lifecycle.keys import JWKS_MAX_AGE
from apiclients.resources.keys import Algorithm
from apiclients.resources.tokenissuer import JwsAlgorithm

_JWK_SET = (b"content-type", b"application/jwk-set+json")
_PUBLIC = (b"cache-control", b"public, max-age=%d" % JWKS_MAX_AGE.total_seconds())

_ALGORITHMS = [algorithm.value for algorithm in Algorithm]
#: Of client assertions; what counts for one is on the list of its TokenIssuer.
_ASSERTION_ALGORITHMS = [algorithm.value for algorithm in JwsAlgorithm]

#: What is at the authorization endpoint. Nobody is redirected: no redirection URI is known here.
NO_AUTHORIZATION = error_reply(
    400, "unsupported_response_type", "There is no authorization endpoint: the only grant_type is client_credentials."
)

Document = Callable[[], Awaitable[Reply]]


class Documents:
    """Some documents of one gate, by raw path."""

    def __init__(self, gate: Gate, documents: Mapping[bytes, Document]) -> None:
        self._gate = gate
        self._documents = documents

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


def public_documents(gate: Gate) -> dict[bytes, Document]:
    """What clients and verifiers of tokens look up: metadata and keys."""
    metadata_json = orjson.dumps(metadata(gate.issuer))
    openid_json = orjson.dumps(openid_metadata(gate.issuer))

    async def oauth() -> Reply:
        """Authorization server metadata (RFC 8414)."""
        return document_reply(200, metadata_json, JSON, _PUBLIC)

    async def openid() -> Reply:
        """The same for those who look only there (OpenID Connect Discovery 1.0)."""
        return document_reply(200, openid_json, JSON, _PUBLIC)

    async def jwks() -> Reply:
        """The public keys (RFC 7517), those that will sign later included (rule 25)."""
        ring = gate.keys.ring
        return document_reply(200, ring.jwks, _JWK_SET, _PUBLIC) if ring is not None else UNAVAILABLE

    return {
        **dict.fromkeys(well_known_places(gate.issuer, OAUTH_METADATA), oauth),
        **dict.fromkeys(well_known_places(gate.issuer, OPENID_METADATA), openid),
        **dict.fromkeys(places(gate.issuer, JWKS), jwks),
    }


def metadata(issuer: str) -> dict[str, object]:
    """What RFC 8414 section 2 asks for. ``response_types_supported`` has to be there and may not be empty."""
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN,
        "jwks_uri": issuer + JWKS,
        "introspection_endpoint": issuer + INTROSPECT,
        "revocation_endpoint": issuer + REVOKE,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": _ASSERTION_ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": _ASSERTION_ALGORITHMS,
        "introspection_endpoint_auth_signing_alg_values_supported": _ASSERTION_ALGORITHMS,
        "access_token_signing_alg_values_supported": _ALGORITHMS,
    }


def openid_metadata(issuer: str) -> dict[str, object]:
    """The same with what OpenID Connect Discovery 1.0 section 3 requires: its readers refuse a document without.

    There are no ID tokens, and the authorization endpoint says that there is no authorization.
    """
    return metadata(issuer) | {
        "authorization_endpoint": issuer + AUTHORIZE,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": _ALGORITHMS,
    }
