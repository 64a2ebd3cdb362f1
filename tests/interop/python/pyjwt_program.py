"""PyJWT: an API that verifies tokens by itself."""

import os

import jwt

from tests.interop.python.answering import answer_lines, refused

ISSUER, RESOURCE = os.environ["ISSUER"], os.environ["RESOURCE"]

KEYS = jwt.PyJWKClient(f"{ISSUER}/jwks", timeout=10)


def verify(raw: str) -> str:
    """The client's id."""
    try:
        token = jwt.decode_complete(
            raw,
            KEYS.get_signing_key_from_jwt(raw),
            algorithms=["ES256", "RS256"],
            issuer=ISSUER,
            audience=RESOURCE,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.PyJWTError as error:
        return refused(error)
    if token["header"].get("typ") != "at+jwt":
        return refused(ValueError("no access token"))
    return str(token["payload"]["client_id"])


answer_lines(verify=verify)
