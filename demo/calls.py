"""What a client program does: fetch a token, call an API."""

import base64
import http.client
import json
import ssl
import urllib.parse
from dataclasses import dataclass, field

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client finds in its Secret."""

    client_id: str
    client_secret: str = field(repr=False)
    token_endpoint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        value: dict[str, object] = json.loads(self.body)
        return value


class TokenRefusedError(RuntimeError):
    """The token endpoint refused; the message is its own."""


def request(
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = _TIMEOUT_SECONDS,
) -> Answer:
    """One HTTP request on a new connection, over ``tls`` where it is given. Raises OSError."""
    target = urllib.parse.urlsplit(url)
    connection = (
        http.client.HTTPSConnection(target.netloc, timeout=seconds, context=tls)
        if tls is not None
        else http.client.HTTPConnection(target.netloc, timeout=seconds)
    )
    try:
        connection.request(method, target.path + (f"?{target.query}" if target.query else ""), body, headers or {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


def ask_token(credentials: Credentials) -> Answer:
    """POST client credentials to the token endpoint (RFC 6749, section 4.4)."""
    return post_form(credentials, credentials.token_endpoint, grant_type="client_credentials")


def post_form(credentials: Credentials, url: str, **form: str) -> Answer:
    """POST a form with client credentials (HTTP Basic, RFC 6749, section 2.3.1)."""
    pair = ":".join(urllib.parse.quote(part, safe="") for part in (credentials.client_id, credentials.client_secret))
    headers = {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return request("POST", url, headers=headers, body=urllib.parse.urlencode(form).encode())


def fetch_token(credentials: Credentials) -> str:
    """An access token. Raises TokenRefusedError."""
    answer = ask_token(credentials)
    if answer.status != 200:
        raise TokenRefusedError(f"{answer.status} {answer.body.decode(errors='replace')}")
    return str(answer.json()["access_token"])


def call(url: str, token: str | None) -> Answer:
    """GET with a bearer token."""
    return request("GET", url, headers={"Authorization": f"Bearer {token}"} if token else {})
