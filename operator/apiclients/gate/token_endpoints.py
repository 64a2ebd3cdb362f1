"""The two endpoints that take a form: one issues tokens (RFC 6749), the other tells of them (RFC 7662)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from apiclients.gate.forms import (
    Form,
    Head,
    check_head,
    invalid_client,
    invalid_request,
    parse_form,
    presented_credentials,
    read_body,
)
from apiclients.gate.replies import (
    FAILED,
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
from apiclients.gate.service import Gate, GrantError, NotReadyError, RefusedError
from apiclients.gate.tally import log_crash
from apiclients.lifecycle.access import ClientView


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What is done with a form, and where it is counted."""

    decide: Callable[[Head, Form], Reply]
    counts: Counter[tuple[str, str]]


class TokenEndpoints:
    """Both, for one gate. ``body_seconds`` is how long a caller may take to send a form."""

    def __init__(self, gate: Gate, body_seconds: float) -> None:
        self._gate = gate
        self._body_seconds = body_seconds
        self._endpoints = {
            b"/token": _Endpoint(self._token, gate.tally.tokens),
            b"/introspect": _Endpoint(self._introspect, gate.tally.introspections),
        }

    def __contains__(self, path: bytes) -> bool:
        return path in self._endpoints

    async def serve(self, head: Head, receive: Receive, send: Send) -> None:
        """One request. Whatever happens, the caller gets an answer without inner details."""
        try:
            self._check(head)
            reply = self._decide(head, await read_body(receive, self._body_seconds))
        except DisconnectedError:
            return
        except Exception as error:
            reply = self._refusal(head, error)
        await send_reply(send, reply)

    def _check(self, head: Head) -> None:
        """Before the body is read. Raises HttpError, NotReadyError."""
        if head.method != "POST":
            raise HttpError(not_allowed(b"POST"))
        self._gate.require_ready()
        check_head(head)

    def _decide(self, head: Head, body: bytes) -> Reply:
        """Raises HttpError, NotReadyError."""
        return self._endpoints[head.path].decide(head, parse_form(body))

    def _refusal(self, head: Head, error: Exception) -> Reply:
        if isinstance(error, HttpError):
            return error.reply
        if isinstance(error, NotReadyError):
            self._endpoints[head.path].counts["unavailable", error.problem] += 1
            return UNAVAILABLE
        log_crash(self._gate.tally, error)
        return FAILED

    def _authenticate(self, head: Head, form: Form) -> ClientView:
        """The caller. Raises HttpError, NotReadyError."""
        try:
            return self._gate.authenticate(presented_credentials(head, form))
        except RefusedError as error:
            self._endpoints[head.path].counts["refused", error.reason] += 1
            raise invalid_client(error.hint) from None

    def _token(self, head: Head, form: Form) -> Reply:
        """Issue an access token for client credentials (RFC 6749 section 4.4; ``resource`` is that of RFC 8707)."""
        counts = self._gate.tally.tokens
        if "grant_type" not in form:
            raise invalid_request("The parameter grant_type is missing.")
        client = self._authenticate(head, form)
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
        return json_reply(200, content, (b"pragma", b"no-cache"))

    def _introspect(self, head: Head, form: Form) -> Reply:
        """Tell an ApiClient of a token (RFC 7662; rule 20)."""
        caller = self._authenticate(head, form)
        if "token" not in form:
            raise invalid_request("The parameter token is missing.")
        answer = self._gate.introspect(caller, form["token"].encode())
        self._gate.tally.introspections["active" if answer["active"] else "inactive", ""] += 1
        return json_reply(200, answer)
