"""The endpoints that are not hot: issuing tokens, metadata, keys, health, metrics. On Starlette."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apiclients.gate.app import BODY_SECONDS, App, log_crash
from apiclients.gate.forms import invalid_client, invalid_request, presented_credentials, read_form
from apiclients.gate.metrics import CONTENT_TYPE
from apiclients.gate.replies import (
    FAILED,
    NO_STORE,
    UNAVAILABLE,
    DisconnectedError,
    HttpError,
    Reply,
    error_reply,
    json_reply,
    not_allowed,
)
from apiclients.gate.service import Gate, GrantError, NotReadyError, RefusedError
from apiclients.gate.signing import JWKS_MAX_AGE
from apiclients.resources.keys import Algorithm

_METADATA = "/.well-known/oauth-authorization-server"
#: Many gateways look only there.
_METADATA_ALIAS = "/.well-known/openid-configuration"


class Endpoints:
    """The endpoints of one gate."""

    def __init__(
        self, gate: Gate, render_metrics: Callable[[], Awaitable[bytes]], body_seconds: float = BODY_SECONDS
    ) -> None:
        self._gate = gate
        self._render_metrics = render_metrics
        self._body_seconds = body_seconds
        self._metadata = orjson.dumps(metadata(gate.issuer))

    def apps(self) -> dict[bytes, App]:
        """By raw path."""
        # RFC 8414 section 3.1: the path of an issuer follows the well-known one.
        of_issuer = _METADATA + urlsplit(self._gate.issuer).path
        gets = {
            _METADATA: self.metadata,
            _METADATA_ALIAS: self.metadata,
            of_issuer: self.metadata,
            "/jwks": self.jwks,
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/metrics": self.metrics,
        }
        routes = [Route(path, endpoint, methods=["GET"]) for path, endpoint in gets.items()]
        routes.append(Route("/token", self.token, methods=["POST"]))
        handlers: Any = {
            HTTPException: _refuse_method,
            HttpError: _end,
            NotReadyError: self._unavailable,
            DisconnectedError: _nobody_waits,
            Exception: self._crash,
        }
        app: Any = Starlette(routes=routes, exception_handlers=handlers)
        return {route.path.encode(): app for route in routes}

    async def token(self, request: Request) -> Response:
        """Issue an access token for client credentials (RFC 6749 section 4.4; ``resource`` is that of RFC 8707)."""
        counts = self._gate.tally.tokens
        self._gate.require_ready()
        form = await read_form(request.scope, request.receive, self._body_seconds)
        if "grant_type" not in form:
            raise invalid_request("The parameter grant_type is missing.")
        try:
            client = self._gate.authenticate(presented_credentials(request.scope, form))
        except RefusedError as error:
            counts["refused", error.reason] += 1
            raise invalid_client(error.hint) from None
        if form["grant_type"] != "client_credentials":
            counts["refused", "unsupported_grant_type"] += 1
            raise HttpError(
                error_reply(400, "unsupported_grant_type", "The only grant_type here is client_credentials.")
            )
        wanted = tuple(filter(None, (form.get("scope") or "").split(" "))) or None
        try:
            issued = self._gate.issue(client, form.resources, wanted)
        except GrantError as error:
            counts["refused", error.error] += 1
            raise HttpError(error_reply(400, error.error, error.description)) from None
        counts["issued", ""] += 1
        content = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.expires_in}
        if issued.scope:
            content["scope"] = issued.scope
        return _response(json_reply(200, content, (b"pragma", b"no-cache")))

    async def metadata(self, request: Request) -> Response:  # noqa: ARG002
        """Authorization server metadata (RFC 8414)."""
        return _cacheable(self._metadata, b"application/json")

    async def jwks(self, request: Request) -> Response:  # noqa: ARG002
        """The public keys (RFC 7517), those that will sign later included (rule 25)."""
        ring = self._gate.keys.ring
        if ring is None:
            raise HttpError(UNAVAILABLE)
        return _cacheable(ring.jwks, b"application/jwk-set+json")

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002
        """The process lives."""
        return _text(200, "ok\n")

    async def readyz(self, request: Request) -> Response:  # noqa: ARG002
        """The gate decides (rules 17, 25 and 26)."""
        problem = self._gate.problem()
        return _text(503, f"not ready: {problem.sentence}\n") if problem else _text(200, "ready\n")

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002
        """For Prometheus."""
        body = await self._render_metrics()
        return _response(Reply(200, [(b"content-type", CONTENT_TYPE), NO_STORE, _length(body)], body))

    async def _unavailable(self, request: Request, error: NotReadyError) -> Response:  # noqa: ARG002
        self._gate.tally.tokens["unavailable", error.problem] += 1
        return _response(UNAVAILABLE)

    async def _crash(self, request: Request, error: Exception) -> Response:  # noqa: ARG002
        log_crash(self._gate.tally, error)
        return _response(FAILED)


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


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status)
    response.raw_headers = list(reply.headers)
    return response


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % len(body))


def _cacheable(body: bytes, content_type: bytes) -> Response:
    age = (b"cache-control", b"public, max-age=%d" % JWKS_MAX_AGE)
    return _response(Reply(200, [(b"content-type", content_type), age, _length(body)], body))


def _text(status: int, text: str) -> Response:
    body = text.encode()
    return _response(Reply(status, [(b"content-type", b"text/plain; charset=utf-8"), NO_STORE, _length(body)], body))


async def _refuse_method(request: Request, error: HTTPException) -> Response:  # noqa: ARG001
    allow = sorted((error.headers or {}).get("Allow", "").split(", "))
    return _response(not_allowed(*(method.encode() for method in allow)))


async def _end(request: Request, error: HttpError) -> Response:  # noqa: ARG001
    return _response(error.reply)


async def _nobody_waits(request: Request, error: DisconnectedError) -> Response:  # noqa: ARG001
    return Response()
