"""Authlib: a client of an API, and an API that verifies tokens by itself (RFC 9068)."""

import json
import os
from functools import cache
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6750.errors import InvalidTokenError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import import_key

from tests.interop.python.answering import answer_lines, refused

ISSUER, TOKEN_ENDPOINT = os.environ["ISSUER"], os.environ["TOKEN_ENDPOINT"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
API_URL, RESOURCE, SCOPE = os.environ["API_URL"], os.environ["RESOURCE"], os.environ["SCOPE"]
SECONDS = 10


def metadata() -> Any:
    """The token endpoint, from metadata that are valid by RFC 8414."""
    found = requests.get(get_well_known_url(ISSUER, external=True), timeout=SECONDS).json()
    server = AuthorizationServerMetadata(found)
    server.validate()
    return server["token_endpoint"]


@cache
def api_session() -> OAuth2Session:
    """Gets a token now and a new one when it ends, and sends it with every request."""
    session = OAuth2Session(
        CLIENT_ID, CLIENT_SECRET, scope=SCOPE, token_endpoint=TOKEN_ENDPOINT, grant_type="client_credentials"
    )
    session.fetch_token(resource=RESOURCE)
    return session


def call() -> int:
    """The status that the API answers."""
    return int(api_session().get(API_URL, timeout=SECONDS).status_code)


def token(way: str, secret: str, resource: str, scope: str) -> Any:
    """A new token, or the error code of RFC 6749."""
    method = {"basic": "client_secret_basic", "form": "client_secret_post"}[way]
    session = OAuth2Session(CLIENT_ID, secret, token_endpoint_auth_method=method, default_timeout=SECONDS)
    wanted = {name: value for name, value in (("resource", resource), ("scope", scope)) if value != "-"}
    try:
        return session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials", **wanted)["access_token"]
    except OAuthError as error:
        return error.error


class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
    """Checks type, signature, issuer, audience, time and scope of RFC 9068."""

    @cache  # noqa: B019 - there is one
    def get_jwks(self) -> Any:
        """The issuer's keys. Fetch them again every few minutes in a real service."""
        return requests.get(f"{self.issuer}/jwks", timeout=SECONDS).json()


VALIDATOR = Validator(issuer=ISSUER, resource_server=RESOURCE)


def verify(raw: str) -> str:
    """The client's id."""
    try:
        claims = VALIDATOR.authenticate_token(raw)
        VALIDATOR.validate_token(claims, [SCOPE], request=None)
    except InvalidTokenError as error:
        return refused(error)
    return str(claims["client_id"])


def key(audience: str) -> Any:
    """A new token by the client's own key, or the error code. The audience is the issuer: Authlib takes another."""
    with open(os.environ["PRIVATE_KEY_FILE"]) as file:
        private_key = import_key(json.load(file))
    session = OAuth2Session(
        os.environ["KEYED_CLIENT_ID"], private_key, token_endpoint_auth_method="private_key_jwt", scope=SCOPE
    )
    session.register_client_auth_method(PrivateKeyJWT(audience, headers={"kid": private_key.kid}, alg="ES256"))
    try:
        issued = session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials", resource=RESOURCE)
    except OAuthError as error:
        return error.error
    return issued["access_token"]


def introspect(raw: str) -> str:
    """Ask the issuer as the API's own client."""
    session = OAuth2Session(os.environ["RESOURCE_SERVER_ID"], os.environ["RESOURCE_SERVER_SECRET"])
    answer = session.introspect_token(f"{ISSUER}/introspect", token=raw, timeout=SECONDS)
    return str(answer.json()["active"]).lower()


answer_lines(metadata=metadata, token=token, call=call, verify=verify, introspect=introspect, key=key)
