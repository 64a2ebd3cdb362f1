"""The endpoints that take a form: they issue tokens (RFC 6749), tell of them (RFC 7662) and revoke them (RFC 7009)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from apiclients.gate.http.denials import Denials
from apiclients.gate.http.forms import (
    Form,
    Head,
    check_head,
    invalid_client,
    invalid_request,
    parse_form,
    presented,
    read_body,
)
from apiclients.gate.http.paths import INTROSPECT, REVOKE, TOKEN, places
from apiclients.gate.http.replies import (
    EMPTY,
    FAILED,
    NO_STORE,
    UNAVAILABLE,
    DisconnectedError,
    HttpError,
    Receive,
    Reply,
    Send,
    error_reply,
    json_reply,
    not_allowed,
    send_reply,
)
from apiclients.gate.state.tally import log_crash
from apiclients.gate.tokens.assertions import ClientAssertion
from apiclients.gate.tokens.errors import GrantError, NotReadyError, RefusedError
from apiclients.gate.tokens.gate import Gate
from apiclients.gate.tokens.issuance import ClientCredentials
from apiclients.gate.tokens.revocation import Revoked
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.revocations import MAX_OF_ALL, MAX_OF_CLIENT, MAX_OF_NAMESPACE

#: Whatever became of it: a stranger's token reads as one that is over (RFC 7009 section 2.2).
_REVOKED = Reply(200, [NO_STORE, EMPTY])
_TOO_MANY = error_reply(
    429,
    "too_many_revocations",
    f"Too many tokens are revoked that have not ended: {MAX_OF_CLIENT} of this client, {MAX_OF_NAMESPACE} of its "
    f"namespace or {MAX_OF_ALL} in all. Wait, or set spec.tokens.notBefore of the client.",
    (b"retry-after", b"60"),
)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What is done with a form, and where it is counted."""

    name: str
    counts: Counter[tuple[str, str]]
    #: What it answers to a caller that is known. None: it writes to the API server, which takes waiting.
    answer: Callable[[Head, Form, ClientView], Reply] | None
    #: A parameter without which nobody is authenticated.
    needed: str | None = None


class TokenEndpoints:
    """All of them, for one gate. ``body_seconds`` is how long a caller may take to send a form."""

    def __init__(self, gate: Gate, body_seconds: float, denials: Denials) -> None:
        self._gate = gate
        self._denials = denials
        self._body_seconds = body_seconds
        endpoints = {
            TOKEN: _Endpoint("token", gate.tally.tokens, self._token, needed="grant_type"),
            INTROSPECT: _Endpoint("introspect", gate.tally.introspections, self._introspect),
            REVOKE: _Endpoint("revoke", gate.tally.revocations, None),
        }
        self._endpoints = {
            place: endpoint for path, endpoint in endpoints.items() for place in places(gate.issuer, path)
        }

    def __contains__(self, path: bytes) -> bool:
        return path in self._endpoints

    async def serve(self, head: Head, receive: Receive, send: Send) -> None:
        """One request. Whatever happens, the caller gets an answer without inner details."""
        try:
            self._check(head)
            reply = await self._decide(head, parse_form(await read_body(receive, self._body_seconds)))
        except DisconnectedError:
            return
        except Exception as error:
            reply = self._refusal(head, error)
        await send_reply(send, reply)

    def immediate(self, head: Head, body: bytes) -> Reply | None:
        """The answer to a whole request, whatever happens; None if it takes waiting for the API server."""
        if self._endpoints[head.path].answer is None:
            return None
        try:
            self._check(head)
            return self._decide_at_once(head, parse_form(body))
        except Exception as error:
            return self._refusal(head, error)

    def _check(self, head: Head) -> None:
        """Before the body is read. Raises HttpError, NotReadyError."""
        if head.method != "POST":
            raise HttpError(not_allowed(b"POST"))
        self._gate.require_ready()
        check_head(head)

    async def _decide(self, head: Head, form: Form) -> Reply:
        """Raises HttpError, NotReadyError."""
        endpoint = self._endpoints[head.path]
        shown = _presented_to(endpoint, head, form)
        if isinstance(shown, ClientAssertion):
            caller = await self._by_assertion(head, shown)
        else:
            caller = self._by_secret(head, shown)
        return endpoint.answer(head, form, caller) if endpoint.answer else await self._revoke(head, form, caller)

    def _decide_at_once(self, head: Head, form: Form) -> Reply | None:
        """As ``_decide``; None, with nothing done, where that would wait. Raises HttpError, NotReadyError."""
        endpoint = self._endpoints[head.path]
        shown = _presented_to(endpoint, head, form)
        if endpoint.answer is None or isinstance(shown, ClientAssertion):
            return None
        return endpoint.answer(head, form, self._by_secret(head, shown))

    def _refusal(self, head: Head, error: Exception) -> Reply:
        if isinstance(error, HttpError):
            return error.reply
        if isinstance(error, NotReadyError):
            self._endpoints[head.path].counts["unavailable", error.problem] += 1
            return UNAVAILABLE
        log_crash(self._gate.tally, error)
        return FAILED

    def _by_secret(self, head: Head, shown: ClientCredentials) -> ClientView:
        """The caller. Raises HttpError, NotReadyError."""
        try:
            return self._gate.authenticate(shown)
        except RefusedError as error:
            raise self._stranger(head, error) from None

    async def _by_assertion(self, head: Head, shown: ClientAssertion) -> ClientView:
        """The caller. Raises HttpError, NotReadyError."""
        try:
            return await self._gate.authenticate_by_assertion(shown)
        except RefusedError as error:
            raise self._stranger(head, error) from None

    def _stranger(self, head: Head, error: RefusedError) -> HttpError:
        """What a caller is answered whose credentials are refused; it is counted and logged."""
        endpoint, answer = self._endpoints[head.path], invalid_client(head, error.hint)
        endpoint.counts["refused", error.reason] += 1
        self._denials.of_secret(endpoint.name, error.reason, error.client, answer.reply.status, head.headers)
        return answer

    def _token(self, head: Head, form: Form, client: ClientView) -> Reply:
        """Issue an access token for client credentials (RFC 6749 section 4.4; ``resource`` is that of RFC 8707)."""
        counts = self._gate.tally.tokens
        if form["grant_type"] != "client_credentials":
            self._refused(head, client, "unsupported_grant_type")
            raise HttpError(error_reply(400, "unsupported_grant_type", "The grant_type must be client_credentials."))
        wanted = tuple(filter(None, (form.get("scope") or "").split(" "))) or None
        try:
            issued = self._gate.issue(client, form.resources, wanted)
        except GrantError as error:
            self._refused(head, client, error.error)
            raise HttpError(error_reply(400, error.error, error.description)) from None
        counts["issued", ""] += 1
        content = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.expires_in}
        if issued.scope:
            content["scope"] = issued.scope
        return json_reply(200, content, (b"pragma", b"no-cache"))

    def _refused(self, head: Head, client: ClientView, reason: str) -> None:
        """An authenticated client asks for what it cannot have."""
        self._gate.tally.tokens["refused", reason] += 1
        self._denials.of_secret("token", reason, client, 400, head.headers)

    def _introspect(self, head: Head, form: Form, caller: ClientView) -> Reply:  # noqa: ARG002 - as all endpoints
        """Tell an ApiClient of a token (RFC 7662; rule 20)."""
        if "token" not in form:
            raise invalid_request("The parameter token is missing.")
        answer = self._gate.introspect(caller, form["token"].encode())
        self._gate.tally.introspections["active" if answer["active"] else "inactive", ""] += 1
        return json_reply(200, answer)

    async def _revoke(self, head: Head, form: Form, caller: ClientView) -> Reply:
        """Revoke a token of the caller (RFC 7009). ``token_type_hint`` says nothing: there is one type of tokens."""
        if "token" not in form:
            raise invalid_request("The parameter token is missing.")
        outcome = await self._gate.revoke(caller, form["token"].encode())
        self._gate.tally.revocations[outcome.value, ""] += 1
        if outcome is Revoked.TOO_MANY:
            self._denials.of_secret("revoke", outcome.value, caller, _TOO_MANY.status, head.headers)
            return _TOO_MANY
        return _REVOKED


def _presented_to(endpoint: _Endpoint, head: Head, form: Form) -> ClientCredentials | ClientAssertion:
    """By what the caller authenticates, once the form has what the endpoint needs. Raises HttpError."""
    if endpoint.needed is not None and endpoint.needed not in form:
        raise invalid_request(f"The parameter {endpoint.needed} is missing.")
    return presented(head, form)
