"""joserfc: an API that verifies tokens by itself."""

import os

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.interop.python.answering import answer_lines, refused

ISSUER, RESOURCE = os.environ["ISSUER"], os.environ["RESOURCE"]

# Fetch them again every few minutes in a real service.
KEYS = KeySet.import_key_set(requests.get(f"{ISSUER}/jwks", timeout=10).json())
CLAIMS = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": RESOURCE},
    exp={"essential": True},
)


def verify(raw: str) -> str:
    """The client's id."""
    try:
        token = jwt.decode(raw, KEYS, algorithms=["ES256", "RS256"])
        CLAIMS.validate(token.claims)
    except JoseError as error:
        return refused(error)
    if token.header.get("typ") != "at+jwt":
        return refused(ValueError("no access token"))
    return str(token.claims["client_id"])


answer_lines(verify=verify)
