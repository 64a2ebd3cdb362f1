"""requests-oauthlib: a client of an API."""

import os
from functools import cache
from typing import Any

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from tests.interop.python.answering import answer_lines

TOKEN_ENDPOINT = os.environ["TOKEN_ENDPOINT"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
API_URL, RESOURCE, SCOPE = os.environ["API_URL"], os.environ["RESOURCE"], os.environ["SCOPE"]
SECONDS = 10


@cache
def api_session() -> OAuth2Session:
    """Sends a token with every request. It raises TokenExpiredError when the token has ended: fetch another."""
    session = OAuth2Session(client=BackendApplicationClient(CLIENT_ID, scope=[SCOPE]))
    basic = HTTPBasicAuth(CLIENT_ID, CLIENT_SECRET)
    session.fetch_token(TOKEN_ENDPOINT, auth=basic, resource=RESOURCE, timeout=SECONDS)
    return session


def call() -> int:
    """The status that the API answers."""
    return int(api_session().get(API_URL, timeout=SECONDS).status_code)


def token(way: str, secret: str, resource: str, scope: str) -> Any:
    """A new token, or the error code of RFC 6749."""
    wanted: dict[str, Any] = {"resource": resource} if resource != "-" else {}
    if way == "basic":
        wanted["auth"] = HTTPBasicAuth(CLIENT_ID, secret)
    else:
        wanted |= {"client_secret": secret, "include_client_id": True}
    session = OAuth2Session(client=BackendApplicationClient(CLIENT_ID, scope=[scope] if scope != "-" else None))
    try:
        return session.fetch_token(TOKEN_ENDPOINT, timeout=SECONDS, **wanted)["access_token"]
    except OAuth2Error as error:
        return error.error


answer_lines(token=token, call=call)
