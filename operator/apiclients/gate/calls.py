"""Calls to single Apis: ``/authz/<namespace>/<api>`` and whatever a gateway appends to it.

The two segments are taken raw: names of Apis need no encoding, so nothing is decoded or normalised, and what a gateway
appends from the request of a stranger cannot choose another Api.
"""

import re

from apiclients.gate.replies import EMPTY, NO_STORE, UNAVAILABLE, Headers, Reply, challenge
from apiclients.gate.resources import api_names, metadata_url
from apiclients.gate.routes import ApiAccess
from apiclients.gate.service import Gate, Passed
from apiclients.lifecycle.calls import CallDenial

_PREFIX = len(b"/authz/")
_SCOPES = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*")

_FORBIDDEN = Reply(403, [NO_STORE, EMPTY])
_GONE = Reply(410, [NO_STORE, EMPTY])


class Calls:
    """Answers gateways that ask whether a call may go to an Api."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._counts = gate.tally.calls

    def judge(self, path: bytes, headers: Headers) -> Reply:
        """200, 401, 403, 410 or 503, by the path and the headers Authorization and X-Required-Scope."""
        problem = self._gate.problem()
        if problem is not None:
            self._counts["unavailable", problem] += 1
            return UNAVAILABLE
        api = self._api(path)
        if api is None:
            self._counts["deny", "bad_path"] += 1
            return _FORBIDDEN
        token = bearer_token(headers)
        if token is None:
            return self._deny(api, "no_credentials", self._unauthorized(api))
        required = required_scopes(headers)
        verdict = self._gate.call(token, api, required)
        if isinstance(verdict, Passed):
            api.allowed += 1
            self._counts["allow", "accepted"] += 1
            return _allowed(verdict)
        return self._deny(api, verdict, self._refusal(api, verdict, required))

    def _api(self, path: bytes) -> ApiAccess | None:
        """The Api that a path names, also one that is not there; None if it cannot be one."""
        end = path.find(b"/", path.find(b"/", _PREFIX) + 1)
        named = path[_PREFIX:end] if end > _PREFIX else path[_PREFIX:]
        known = self._gate.routes.find(named)
        if known is not None:
            return known
        names = api_names(named)
        return self._gate.routes.stranger(*names) if names else None

    def _deny(self, api: ApiAccess, reason: str, reply: Reply) -> Reply:
        api.denied += 1
        self._counts["deny", reason] += 1
        return reply

    def _refusal(self, api: ApiAccess, reason: str, required: tuple[str, ...]) -> Reply:
        match reason:
            case CallDenial.NO_CONTRACT:
                return _FORBIDDEN
            case CallDenial.API_RETIRED:
                return _GONE
            case CallDenial.INSUFFICIENT_SCOPE:
                return _insufficient(required)
            case _:
                return self._unauthorized(api, "invalid_token", "The access token is not valid for this API.")

    def _unauthorized(self, api: ApiAccess, error: str = "", description: str = "") -> Reply:
        """With the way to the metadata of the Api (RFC 9728 section 5.1)."""
        url = metadata_url(self._gate.issuer, api.namespace, api.name)
        return Reply(401, [challenge(b"Bearer", error, description, resource_metadata=url), NO_STORE, EMPTY])


def _allowed(passed: Passed) -> Reply:
    accepted = passed.accepted
    return Reply(
        200,
        [
            (b"x-client-id", accepted.token.client_id.encode()),
            (b"x-client-scope", " ".join(passed.scopes).encode()),
            (b"x-token-expires", b"%d" % accepted.expires),
            *passed.headers,
            NO_STORE,
            EMPTY,
        ],
    )


def _insufficient(required: tuple[str, ...]) -> Reply:
    """RFC 6750 section 3.1. What no scope can be is not repeated: it would end up inside quotes."""
    scope = " ".join(required)
    more = {"scope": scope} if _SCOPES.fullmatch(scope) else {}
    text = "The scopes of the access token do not suffice."
    return Reply(403, [challenge(b"Bearer", "insufficient_scope", text, **more), NO_STORE, EMPTY])


def bearer_token(headers: Headers) -> bytes | None:
    """The token of the one Authorization header; None without Bearer credentials (RFC 6750 section 3).

    Anything else that is wrong yields what no token is, and is refused as such.
    """
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) != 1:
        return b"" if values else None
    scheme, _, token = values[0].partition(b" ")
    return token.lstrip(b" ") if scheme.lower() == b"bearer" else None


def required_scopes(headers: Headers) -> tuple[str, ...]:
    """The scopes that the gateway says are needed. Of several headers all count: adding one makes nothing easier."""
    values = [value for name, value in headers if name == b"x-required-scope"]
    return tuple(b" ".join(values).decode("latin-1").split()) if values else ()
