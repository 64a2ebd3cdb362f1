"""Calls to single Apis: ``/authz/<namespace>/<api>`` and whatever a gateway appends to it.

The two segments are taken raw: names of Apis need no encoding, so nothing is decoded or normalised, and what a gateway
appends from the request of a stranger cannot choose another Api.
"""

import re

from apiclients.gate.http.denials import Denials
from apiclients.gate.http.plan_headers import PlanHeaders
from apiclients.gate.http.replies import EMPTY, NO_STORE, UNAVAILABLE, Headers, Reply, challenge
from apiclients.gate.http.resources import api_names, metadata_url
from apiclients.gate.state.access import ApiAccess
from apiclients.gate.tokens.acceptance import Passed
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.gate import Gate
from apiclients.lifecycle.calls import CallDenial
from apiclients.lifecycle.denials import BAD_PATH, NO_CREDENTIALS

#: The label of metrics and logs.
ENDPOINT = "authz"
_PREFIX = len(b"/authz/")
_SCOPES = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*")

_FORBIDDEN = Reply(403, [NO_STORE, EMPTY])
_GONE = Reply(410, [NO_STORE, EMPTY])


class Calls:
    """Answers gateways that ask whether a call may go to an Api."""

    def __init__(self, gate: Gate, denials: Denials) -> None:
        self._gate = gate
        self._denials = denials
        self._counts = gate.tally.calls
        self._plan_headers = PlanHeaders()

    def judge(self, path: bytes, headers: Headers) -> Reply:
        """200, 401, 403, 410 or 503, by the path and the headers Authorization and X-Required-Scope."""
        problem = self._gate.problem()
        if problem is not None:
            self._counts["unavailable", problem] += 1
            return UNAVAILABLE
        api = self._api(path)
        if api is None:
            self._counts["deny", BAD_PATH] += 1
            self._denials.of_token(ENDPOINT, BAD_PATH, None, _FORBIDDEN.status, headers)
            return _FORBIDDEN
        token = bearer_token(headers)
        if token is None:
            return self._deny(api, NO_CREDENTIALS, self._unauthorized(api), None, headers)
        required = required_scopes(headers)
        try:
            verdict = self._gate.call(token, api, required)
        except NotReadyError as error:
            self._counts["unavailable", error.problem] += 1
            return UNAVAILABLE
        if isinstance(verdict, Passed):
            api.use.allowed += 1
            self._counts["allow", "accepted"] += 1
            return self._allowed(verdict)
        return self._deny(api, verdict, self._refusal(api, verdict, required), token, headers)

    def _api(self, path: bytes) -> ApiAccess | None:
        """The Api that a path names, also one that is not there; None if it cannot be one."""
        end = path.find(b"/", path.find(b"/", _PREFIX) + 1)
        named = path[_PREFIX:end] if end > _PREFIX else path[_PREFIX:]
        known = self._gate.access.find(named)
        if known is not None:
            return known
        names = api_names(named)
        return self._gate.access.stranger(*names) if names else None

    def _allowed(self, passed: Passed) -> Reply:
        accepted = passed.accepted
        return Reply(
            200,
            [
                (b"x-client-id", accepted.token.client_id.encode()),
                (b"x-client-scope", " ".join(passed.scopes).encode()),
                (b"x-token-expires", b"%d" % accepted.expires),
                *self._plan_headers.of(passed.route),
                NO_STORE,
                EMPTY,
            ],
        )

    def _deny(self, api: ApiAccess, reason: str, reply: Reply, token: bytes | None, headers: Headers) -> Reply:
        api.use.denied += 1
        self._counts["deny", reason] += 1
        self._denials.of_token(ENDPOINT, reason, token, reply.status, headers, f"{api.namespace}/{api.name}")
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
        """With the way to the metadata of the Api (RFC 9728 section 5.1), if they can name the URL that was called.

        Clients refuse metadata of any other (section 3.3).
        """
        url = metadata_url(self._gate.issuer, api.namespace, api.name) if api.public_url is not None else None
        more = {"resource_metadata": url} if url is not None else {}
        return Reply(401, [challenge(b"Bearer", error, description, **more), NO_STORE, EMPTY])


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
