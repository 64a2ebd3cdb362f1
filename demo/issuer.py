"""An issuer of somebody else, shaped as Keycloak is: it tells its keys, and signs tokens for its clients.

It has one realm, one key and one client, and knows nothing of this project.
"""

import ssl
import sys
import time
import uuid
from pathlib import Path

from aiohttp import BasicAuth, web
from joserfc import jwt
from joserfc.jwk import RSAKey

from cluster.pki import ensure_pki

AUDIENCE = "https://api.example.com"
CLIENT = "team-a-invoices"
SECRET = "known-to-the-issuer-alone"
_REALM = "/realms/shop"
_TOKEN_SECONDS = 3600


def issuer_at(port: int) -> str:
    """The issuer's name, which is where it is."""
    return f"https://127.0.0.1:{port}{_REALM}"


class Issuer:
    """What it answers."""

    def __init__(self, port: int) -> None:
        self._name = issuer_at(port)
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def app(self) -> web.Application:
        """Its paths, as Keycloak has them."""
        app = web.Application()
        protocol = f"{_REALM}/protocol/openid-connect"
        app.add_routes(
            [
                web.get(f"{_REALM}/.well-known/openid-configuration", self._metadata),
                web.get(f"{protocol}/certs", self._keys),
                web.post(f"{protocol}/token", self._token),
            ]
        )
        return app

    async def _metadata(self, _: web.Request) -> web.Response:
        protocol = f"{self._name}/protocol/openid-connect"
        places = {"jwks_uri": f"{protocol}/certs", "token_endpoint": f"{protocol}/token"}
        return web.json_response({"issuer": self._name} | places)

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self._key.as_dict(private=False)]})

    async def _token(self, request: web.Request) -> web.Response:
        try:
            known = BasicAuth.decode(request.headers.get("Authorization", "")) == BasicAuth(CLIENT, SECRET)
        except ValueError:
            known = False
        if not known:
            return web.json_response({"error": "invalid_client"}, status=401)
        now = int(time.time())
        claims = {"iss": self._name, "aud": AUDIENCE, "azp": CLIENT, "sub": str(uuid.uuid4()), "scope": "profile email"}
        times = {"iat": now, "exp": now + _TOKEN_SECONDS, "jti": str(uuid.uuid4())}
        token = jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims | times, self._key)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": _TOKEN_SECONDS})


def main() -> None:
    """Serve at a port; the folder, the second argument, takes its certificate."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    pair = ensure_pki(folder).server
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    web.run_app(Issuer(port).app(), host="127.0.0.1", port=port, ssl_context=context, print=None, access_log=None)


if __name__ == "__main__":
    main()
