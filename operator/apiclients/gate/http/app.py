"""The ASGI application: which path is whose, and the hot paths.

Paths are matched as they came over the wire; nothing is decoded or normalised, so that gate and gateway can never
disagree about what a path is. What is not listed here does not exist.
"""

from collections.abc import Callable

from apiclients.gate.http.calls import Calls, bearer_token
from apiclients.gate.http.denials import Denials
from apiclients.gate.http.documents import NO_AUTHORIZATION, Documents
from apiclients.gate.http.forms import Head
from apiclients.gate.http.paths import AUTHORIZE, places
from apiclients.gate.http.plan_headers import NO_PLAN
from apiclients.gate.http.replies import (
    EMPTY,
    FAILED,
    NO_STORE,
    NOT_FOUND,
    UNAVAILABLE,
    Headers,
    Receive,
    Reply,
    Scope,
    Send,
    challenge,
    send_reply,
)
from apiclients.gate.http.resources import ProtectedResources
from apiclients.gate.http.token_endpoints import TokenEndpoints
from apiclients.gate.state.tally import log_crash
from apiclients.gate.tokens.acceptance import Accepted
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.gate import Gate
from apiclients.lifecycle.denials import NO_CREDENTIALS

#: How long a caller may take to send a form, in seconds.
BODY_SECONDS = 10.0

_NO_CREDENTIALS = Reply(401, [challenge(b"Bearer"), NO_STORE, EMPTY])
_INVALID_TOKEN = Reply(401, [challenge(b"Bearer", "invalid_token", "The access token is not valid."), NO_STORE, EMPTY])


class GateApp:
    """Dispatches."""

    def __init__(self, gate: Gate, documents: Documents, body_seconds: float = BODY_SECONDS) -> None:
        self._gate = gate
        self._documents = documents
        self._denials = Denials(gate)
        self._token_endpoints = TokenEndpoints(gate, body_seconds, self._denials)
        self._checks = gate.tally.checks
        self._calls = Calls(gate, self._denials)
        self._authorize = places(gate.issuer, AUTHORIZE)
        self._resources = ProtectedResources(gate.issuer, gate.access)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: bytes = scope["raw_path"]
        reply = self.immediate(path, scope["headers"])
        if reply is not None:
            await send_reply(send, reply)
        elif path in self._token_endpoints:
            head = Head(scope["method"], path, scope["query_string"], scope["headers"])
            await self._token_endpoints.serve(head, receive, send)
        elif path in self._documents:
            await send_reply(send, await self._documents.answer(scope["method"], path))
        elif path in self._authorize:
            await send_reply(send, NO_AUTHORIZATION)
        elif path.startswith(self._resources.prefixes):
            await send_reply(send, self._resources.answer(scope["method"], path))
        else:
            await send_reply(send, NOT_FOUND)

    def immediate(self, path: bytes, headers: Headers) -> Reply | None:
        """The answer, if path and headers are all that it takes: to gateways, which ask before each of their calls."""
        if path.startswith(b"/authz/") or path == b"/authz":
            return self._answer(self._calls.judge, path, headers)
        if path == b"/check" or path.startswith(b"/check/"):
            return self._answer(self._judge, path, headers)
        return None

    def takes_form(self, path: bytes) -> bool:
        """Whether a form sent to this path can be answered by :meth:`immediate_form`."""
        return path in self._token_endpoints

    def immediate_form(self, head: Head, body: bytes) -> Reply | None:
        """The answer to a whole form, if it takes no waiting: to callers, which ask for tokens and about tokens."""
        return self._token_endpoints.immediate(head, body)

    def _answer(self, judge: Callable[[bytes, Headers], Reply], path: bytes, headers: Headers) -> Reply:
        """The answer of a hot path, whatever happens."""
        try:
            return judge(path, headers)
        except Exception as error:
            log_crash(self._gate.tally, error)
            return FAILED

    def _judge(self, path: bytes, headers: Headers) -> Reply:  # noqa: ARG002 - any path below /check is the same
        """Is this client's token good? 200, 401 or 503, by the Authorization header alone (RFC 6750 section 2.1)."""
        problem = self._gate.problem()
        if problem is not None:
            self._checks["unavailable", problem] += 1
            return UNAVAILABLE
        token = bearer_token(headers)
        if token is None:
            return self._deny(NO_CREDENTIALS, _NO_CREDENTIALS, None, headers)
        try:
            verdict = self._gate.check(token)
        except NotReadyError as error:
            self._checks["unavailable", error.problem] += 1
            return UNAVAILABLE
        if not isinstance(verdict, Accepted):
            return self._deny(verdict, _INVALID_TOKEN, token, headers)
        self._checks["allow", "accepted"] += 1
        return Reply(
            200,
            [
                (b"x-client-id", verdict.token.client_id.encode()),
                (b"x-client-scope", verdict.token.scope.encode()),
                (b"x-token-expires", b"%d" % verdict.expires),
                *NO_PLAN,
                NO_STORE,
                EMPTY,
            ],
        )

    def _deny(self, reason: str, reply: Reply, token: bytes | None, headers: Headers) -> Reply:
        self._checks["deny", reason] += 1
        self._denials.of_token("check", reason, token, reply.status, headers)
        return reply
