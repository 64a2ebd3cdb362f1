"""Requests to the token and introspection endpoints: a bounded form, and who the caller says to be.

Everything that a caller sends is bounded in size, number and time, and what is wrong with it is said without quoting
it. Forms and client authentication are those of RFC 6749, sections 2.3 and 3.2.
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from apiclients.gate.http.replies import (
    CLOSE,
    DisconnectedError,
    Headers,
    HttpError,
    Receive,
    challenge,
    error_reply,
)
from apiclients.gate.tokens.assertions import JWT_BEARER, ClientAssertion
from apiclients.gate.tokens.issuance import ClientCredentials
from apiclients.gate.tokens.verifier import MAX_TOKEN_BYTES

#: The longest token, and room for what else a form may say.
MAX_BODY_BYTES = MAX_TOKEN_BYTES + 16 * 1024
_MAX_FIELDS = 64
#: The one parameter that may be repeated (RFC 8707 section 2).
_RESOURCE = "resource"
_FORM = b"application/x-www-form-urlencoded"


@dataclass(slots=True)
class Head:
    """What stands before the body of a request. Not frozen: one is made on every request."""

    method: str
    path: bytes
    query: bytes
    headers: Headers

    def only(self, name: bytes) -> bytes:
        """The value of a header that is there once, else nothing."""
        values = [value for key, value in self.headers if key == name]
        return values[0] if len(values) == 1 else b""


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of a request; ``resources`` are the values of the one that may be repeated."""

    values: dict[str, str]
    resources: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def get(self, name: str) -> str | None:
        """The value of a parameter, if it is there."""
        return self.values.get(name)


def invalid_request(description: str) -> HttpError:
    """The request is not one (RFC 6749 section 5.2)."""
    return HttpError(error_reply(400, "invalid_request", description))


def invalid_client(head: Head, description: str = "") -> HttpError:
    """The caller may not ask (RFC 6749 section 5.2).

    Who sent an Authorization header gets 401 and the challenge that belongs to it. Who did not gets 400: many clients
    take a challenge for all that there is to an answer, and hide the error from their users.
    """
    text = description or "Client authentication failed."
    if any(name == b"authorization" for name, _ in head.headers):
        return HttpError(error_reply(401, "invalid_client", text, challenge(b"Basic")))
    return HttpError(error_reply(400, "invalid_client", text))


def check_head(head: Head) -> None:
    """Whether a form may follow. Raises HttpError."""
    if head.query:
        raise invalid_request("Send parameters in the request body, not in the URL.")
    if head.only(b"content-type").split(b";", 1)[0].strip().lower() != _FORM:
        raise invalid_request("The Content-Type must be application/x-www-form-urlencoded.")
    length = head.only(b"content-length")
    if length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()


async def read_body(receive: Receive, seconds: float) -> bytes:
    """The body, within ``seconds``. Raises HttpError, DisconnectedError."""
    try:
        async with asyncio.timeout(seconds):
            return await _read_body(receive)
    except TimeoutError:
        raise HttpError(
            error_reply(408, "invalid_request", "The request body took too long to arrive.", CLOSE)
        ) from None


def parse_form(body: bytes) -> Form:
    """The parameters of a form, as browsers read one: empty parts are none, and one without ``=`` has no value.

    A parameter without a value counts as absent (RFC 6749 section 3.2), but for ``resource``: none at all asks for the
    token that is good for the most. Raises HttpError.
    """
    pairs = _pairs(body)
    resources = tuple(value for name, value in pairs if name == _RESOURCE)
    if not all(resources):
        raise HttpError(error_reply(400, "invalid_target", "A resource is empty."))
    others = [pair for pair in pairs if pair[0] != _RESOURCE]
    form = dict(others)
    if len(form) != len(others):
        raise invalid_request("A parameter is repeated.")
    return Form({name: value for name, value in form.items() if value}, resources)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"&") >= _MAX_FIELDS:
        raise invalid_request(f"The body has more than {_MAX_FIELDS} parameters.")
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        if error.encoding == "ascii":
            raise invalid_request("The body has other characters than ASCII: encode them with %.") from None
        raise invalid_request("A parameter is not UTF-8.") from None


def presented(head: Head, form: Form) -> ClientCredentials | ClientAssertion:
    """By what the caller authenticates, in one way only (RFC 6749 section 2.3). Raises HttpError."""
    if "client_assertion" not in form and "client_assertion_type" not in form:
        return _presented_credentials(head, form)
    if "client_assertion" not in form or "client_assertion_type" not in form:
        raise invalid_request("The parameters client_assertion and client_assertion_type belong together.")
    if "client_secret" in form or any(name == b"authorization" for name, _ in head.headers):
        raise invalid_request("Authenticate by an assertion or by a secret, not both.")
    if form["client_assertion_type"] != JWT_BEARER:
        raise invalid_client(head, f"The client_assertion_type must be {JWT_BEARER}.")
    return ClientAssertion(form["client_assertion"].encode(), form.get("client_id"))


def _presented_credentials(head: Head, form: Form) -> ClientCredentials:
    """Client id and secret, by HTTP Basic or in the form, not both (RFC 6749 section 2.3). Raises HttpError."""
    headers = [value for name, value in head.headers if name == b"authorization"]
    if len(headers) > 1:
        raise invalid_request("There is more than one Authorization header.")
    if not headers:
        if "client_id" not in form or "client_secret" not in form:
            raise invalid_client(head, "Client authentication is missing.")
        return ClientCredentials(form["client_id"], form["client_secret"].encode())
    credentials = _basic(head, headers[0])
    if "client_secret" in form:
        raise invalid_request("Authenticate by HTTP Basic or in the form, not both.")
    if form.get("client_id") not in (None, credentials.client_id):
        raise invalid_request("Two client ids are given.")
    return credentials


def _basic(head: Head, header: bytes) -> ClientCredentials:
    """HTTP Basic (RFC 7617), both parts form-encoded before (RFC 6749 section 2.3.1)."""
    scheme, _, text = header.partition(b" ")
    if scheme.lower() != b"basic":
        raise invalid_client(head, "Authenticate by HTTP Basic or in the form.")
    try:
        client_id, colon, secret = base64.b64decode(text.strip(b" "), validate=True).partition(b":")
        credentials = ClientCredentials(_unquote(client_id).decode(), _unquote(secret))
    except (binascii.Error, ValueError):
        raise invalid_client(head) from None
    if not colon:
        raise invalid_client(head)
    return credentials


def _unquote(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))


async def _read_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return body


def _too_large() -> HttpError:
    return HttpError(error_reply(413, "invalid_request", f"The body is larger than {MAX_BODY_BYTES} bytes.", CLOSE))
