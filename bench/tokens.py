"""Requests for the gate: tokens signed with the ring of the cluster, credentials of real clients, raw HTTP bytes."""

import base64
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from apiclients.gate.tokens.keystore import read_ring
from apiclients.gate.tokens.signing import LoadedRing, load_ring
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.kinds import API_CLIENTS
from bench.population import PROVIDER, TEAM, api_name, client_name

_SYSTEM = "apiclients-system"
_KEYS = "apiclient-keys"
_LIFETIME = 12 * 3600


@dataclass(frozen=True, slots=True)
class Client:
    """A client that asks; the number is that of its name, and its first contract is for the Api of that number."""

    number: int
    uid: str
    client_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mint:
    """Signs tokens just as the gate does."""

    ring: LoadedRing = field(repr=False)
    issuer: str

    def token(self, client: Client) -> bytes:
        """A token for the issuer and the client's Api. No two are the same."""
        now = int(time.time())
        audience = f"{self.issuer}/apis/{PROVIDER}/{api_name(client.number)}"
        claims = {
            "iss": self.issuer,
            "sub": client.client_id,
            "aud": [self.issuer, audience],
            "exp": now + _LIFETIME,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "client_id": client.client_id,
            "uid": client.uid,
            "scope": "orders.read",
        }
        return self.ring.sign(claims, now).encode()

    def tokens(self, clients: Sequence[Client], count: int) -> list[bytes]:
        """So many, going round the clients."""
        return [self.token(clients[number % len(clients)]) for number in range(count)]


async def read_mint(kube: KubeClient, issuer: str) -> Mint:
    """The cluster's."""
    return Mint(load_ring(read_ring(await kube.get(SECRETS, _SYSTEM, _KEYS))), issuer)


async def read_clients(kube: KubeClient, count: int) -> list[Client]:
    """The first clients of the population with their secrets."""
    found = []
    for number in range(count):
        name = client_name(number)
        client = await kube.get(API_CLIENTS, TEAM, name)
        data = (await kube.get(SECRETS, TEAM, f"{name}-credentials"))["data"]
        client_id = base64.b64decode(data["client-id"]).decode()
        found.append(Client(number, client["metadata"]["uid"], client_id, base64.b64decode(data["client-secret"])))
    return found


def get(path: str, token: bytes) -> bytes:
    """A GET with a bearer token."""
    return f"GET {path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ".encode() + token + b"\r\n\r\n"


def authz(client: Client, token: bytes) -> bytes:
    """A gateway's question whether a call to the client's Api may pass."""
    return get(f"/authz/{PROVIDER}/{api_name(client.number)}", token)


def post(path: str, client_id: str, secret: str, fields: dict[str, str]) -> bytes:
    """A form with the credentials of who sends it."""
    body = urlencode(fields).encode()
    pair = base64.b64encode(f"{quote(client_id, safe='')}:{quote(secret, safe='')}".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gate\r\nAuthorization: Basic {pair}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def introspect(client: Client, token: bytes) -> bytes:
    """The client asks about its own token."""
    return post("/introspect", client.client_id, client.secret.decode(), {"token": token.decode()})


def token_request(client: Client) -> bytes:
    """The client asks for a token."""
    return post("/token", client.client_id, client.secret.decode(), {"grant_type": "client_credentials"})
