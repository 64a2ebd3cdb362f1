"""A gate in memory: keys, clients, clocks that tests set, and a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import aiohttp
import orjson
import yarl
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apiclients.gate.http.app import GateApp
from apiclients.gate.http.documents import Document, Documents, public_documents
from apiclients.gate.http.health import HealthApp, health_documents
from apiclients.gate.http.server import GateServer, make_server
from apiclients.gate.metrics import Metrics
from apiclients.gate.state.problems import Problem
from apiclients.gate.state.reading import Entry, on_bad
from apiclients.gate.state.state import GateState
from apiclients.gate.state.tally import Tally
from apiclients.gate.tokens.gate import Gate
from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.tokens.signing import LoadedRing, load_ring
from apiclients.kube.cache import Change
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS, TOKEN_ISSUERS
from apiclients.kube.object_state import ObjectState as Store
from apiclients.kube.objects import ResourceType, WatchEvent
from apiclients.lifecycle.access import ClientView, client_view
from apiclients.lifecycle.budget import NAMESPACE_BUDGET
from apiclients.lifecycle.digests import digest
from apiclients.resources.fields import format_time
from apiclients.resources.keys import Algorithm, KeyRing, Pepper, SigningKey
from apiclients.resources.objects import ApiClient

ISSUER = "https://tokens.example.com"
START = 1_800_000_000.0
CLIENT_ID = "team-a.billing.0a1b2c3d"
FORM = {"grant_type": "client_credentials"}
UID = "0a1b2c3d-0000-4000-8000-000000000001"
SECRET = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
OLD_SECRET = base64.urlsafe_b64encode(bytes(range(1, 33))).rstrip(b"=").decode()


def time_at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass
class Clock:
    """Both clocks; they move together unless a test steps one."""

    wall_seconds: float = START
    monotonic_seconds: float = 1000.0

    def wall(self) -> float:
        return self.wall_seconds

    def monotonic(self) -> float:
        return self.monotonic_seconds

    def advance(self, seconds: float) -> None:
        self.wall_seconds += seconds
        self.monotonic_seconds += seconds


@cache
def private_pem(algorithm: Algorithm, number: int) -> str:
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm is Algorithm.ES256
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signing_key(
    kid: str, algorithm: Algorithm = Algorithm.ES256, active: float = START - 86400, *, low_s: bool = True
) -> SigningKey:
    return SigningKey(
        kid=kid,
        algorithm=algorithm,
        private_key=private_pem(algorithm, hash(kid)),
        created_time=time_at(min(active, START) - 3600),
        active_from=time_at(active),
        low_s=low_s,
    )


def pepper(id_: str = "p1") -> Pepper:
    key = base64.urlsafe_b64encode(id_.encode().ljust(32, b"x")).rstrip(b"=").decode()
    return Pepper(id=id_, key=key, created_time=time_at(START - 86400))


def key_ring(*keys: SigningKey, peppers: tuple[Pepper, ...] = ()) -> KeyRing:
    return KeyRing(signing_keys=keys or (signing_key("k1"),), peppers=peppers or (pepper(),))


def credential(
    id_: int, secret: str, *, state: str = "Current", expires: float = START + 86400, key: str = "p1"
) -> dict[str, Any]:
    return {
        "id": id_,
        "revision": 1,
        "state": state,
        "issuedTime": format_time(time_at(START - 3600)),
        "expiresTime": format_time(time_at(expires)),
        "digest": digest(pepper(key), secret.encode()),
        "pepper": key,
        "cause": "First",
    }


def client_object(
    name: str = "billing",
    *,
    namespace: str = "team-a",
    uid: str = UID,
    desired: str = "Available",
    observed: str = "Available",
    version: int = 100,
    lifetime: str = "12h",
    not_before: float | None = START - 3600,
    spec_not_before: float | None = None,
    credentials: list[dict[str, Any]] | None = None,
    deleting: bool = False,
    labels: dict[str, str] | None = None,
    generation: int = 1,
    accepted: str | None = None,
    behind: int = 0,
    identities: tuple[tuple[str, str], ...] = (),
    since: float | None = START - 3600,
    issue: bool = True,
    jwks: str | None = None,
    created: float = START - 7200,
) -> dict[str, Any]:
    """An ApiClient as the API server hands it out. ``accepted`` is the desired status in force, as status has it.

    ``identities`` are names of TokenIssuers and subjects, in force ``since`` then.
    """
    tokens: dict[str, Any] = {"lifetime": lifetime}
    if spec_not_before is not None:
        tokens["notBefore"] = format_time(time_at(spec_not_before))
    metadata: dict[str, Any] = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(version)}
    metadata |= {"labels": labels or {}, "generation": generation, "creationTimestamp": format_time(time_at(created))}
    if deleting:
        metadata["deletionTimestamp"] = format_time(time_at(START))
    status: dict[str, Any] = {
        "observedGeneration": 1,
        "observedStatus": observed,
        "credentials": [credential(1, SECRET)] if credentials is None else credentials,
    }
    if accepted is not None:
        status |= {"desiredStatus": accepted, "desiredGeneration": generation - behind}
    if not_before is not None:
        status["tokens"] = {"notBefore": format_time(time_at(not_before))}
    claims = [{"issuer": issuer, "subject": subject} for issuer, subject in identities]
    if since is not None:
        status["identities"] = [{**claim, "since": format_time(time_at(since))} for claim in claims]
    spec = {"desiredStatus": desired, "tokens": tokens, "identities": claims, "secret": {"issue": issue}}
    spec |= {"keys": {"jwks": jwks}} if jwks is not None else {}
    return {"metadata": metadata, "spec": spec, "status": status}


def view_of(**fields: Any) -> ClientView:
    return client_view(ApiClient.from_object(client_object(**fields)))


@dataclass
class Evidence:
    """Says what a test wants about freshness."""

    why: Problem | None = None

    def problem(self) -> Problem | None:
        return self.why


def store_of(state: GateState, kind: ResourceType) -> Store[Entry]:
    """What stands behind a Reflector, as in the program."""
    return Store(state.read[kind.plural], state.apply[kind.plural], on_bad(kind.kind))


class Revoker:
    """Stores revocations as an API server would; ``error`` is what it answers instead."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.error: Exception | None = None
        self.added: list[tuple[str, str, int]] = []

    async def add(self, fingerprint: str, client: ClientView, ends: int) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.added.append((fingerprint, client.uid, ends))
        self._world.revoke(fingerprint, client.uid, client.namespace, expires=ends)


class Reviews:
    """Reviews tokens of service accounts as the API server does; ``error`` is raised instead of an answer."""

    def __init__(self) -> None:
        self.live = True
        self.error: Exception | None = None
        self.asked: list[tuple[str, str, str]] = []
        #: What happens while the API server thinks.
        self.meanwhile: Callable[[], object] = lambda: None

    async def is_live(self, token: bytes, subject: str, client_uid: str) -> bool:
        self.asked.append((token.decode(), subject, client_uid))
        await asyncio.sleep(0)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return self.live


@dataclass
class World:
    """A gate with everything in it that tests reach for."""

    clock: Clock = field(default_factory=Clock)
    evidence: Evidence = field(default_factory=Evidence)
    ring: KeyRing = field(default_factory=key_ring)
    issuer: str = ISSUER
    version: int = 0
    namespace_budget: int = NAMESPACE_BUDGET

    def __post_init__(self) -> None:
        self.tally = Tally()
        self.state = GateState(self.issuer, self.tally, self.clock.monotonic, namespace_budget=self.namespace_budget)
        self.picture, self.access = self.state.picture, self.state.access
        self.keys = KeyStore(self.issuer)
        self.keys.use(load_ring(self.ring))
        self.revoker = Revoker(self)
        self.metrics = Metrics(self.tally, self.picture.by_uid, self.access)
        self.reviews = Reviews()
        self.gate = Gate(
            self.issuer,
            self.state,
            self.keys,
            self.evidence,
            self.tally,
            self.revoker,
            self.reviews,
            self.clock.wall,
        )
        self._stores = {
            short: store_of(self.state, kind)
            for short, kind in {
                "api": APIS,
                "contract": CONTRACTS,
                "approval": CONTRACT_APPROVALS,
                "hold": API_CLIENT_HOLDS,
                "issuer": TOKEN_ISSUERS,
            }.items()
        }
        revocations = self.state.revocations
        self._revoked = Store(revocations.read, revocations.apply, revocations.read_bad)
        self.put()

    def tell(self, kind: str, body: dict[str, Any], type_: str = "MODIFIED") -> None:
        """Let the gate hear of an Api, a contract, an approval or a hold as it is now."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self._stores[kind].take_event(WatchEvent(type_, body))

    def gone(self, kind: str, namespace: str, name: str) -> None:
        """Let it hear that such an object has gone."""
        self.tell(kind, {"metadata": {"namespace": namespace, "name": name}}, "DELETED")

    def revoke(
        self, fingerprint: str, client_uid: str = UID, namespace: str = "team-a", expires: float = START + 3600
    ) -> None:
        """Let it hear of a TokenRevocation."""
        created = format_time(time_at(self.clock.wall()))
        meta = {"namespace": "apiclients-system", "name": fingerprint, "uid": "r", "creationTimestamp": created}
        spec = {"clientUid": client_uid, "clientNamespace": namespace, "expiresTime": format_time(time_at(expires))}
        self._tell_revocation({"metadata": meta, "spec": spec})

    def unrevoke(self, fingerprint: str) -> None:
        """Let it hear that such an object has gone."""
        self._tell_revocation({"metadata": {"namespace": "apiclients-system", "name": fingerprint}}, "DELETED")

    def _tell_revocation(self, body: dict[str, Any], type_: str = "ADDED") -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self._revoked.take_event(WatchEvent(type_, body))

    @property
    def loaded(self) -> LoadedRing:
        assert self.keys.ring is not None
        return self.keys.ring

    def put(self, **fields: Any) -> ClientView:
        """Let the picture hear of a client as it is now."""
        self.version += 1
        view = view_of(**fields)
        self.apply((view.namespace, view.name), view, self.version)
        return view

    def remove(self, name: str = "billing", namespace: str = "team-a") -> None:
        self.version += 1
        self.apply((namespace, name), None, self.version)

    def apply(self, key: tuple[str, str], entry: Entry | None, version: int) -> None:
        old = self.picture._known.get(key)
        change: Change[Entry] = Change(key, old.entry if old else None, entry, version, "watch")
        self.state.apply[API_CLIENTS.plural](change)

    @property
    def client(self) -> ClientView:
        return self.picture.by_uid[UID]

    def token(self, **claims: Any) -> str:
        """A token of the client, issued now; claims may be replaced, or left out with None."""
        now = int(self.clock.wall())
        client = view_of()
        wanted = {
            "iss": self.issuer,
            "sub": client.client_id,
            "aud": self.issuer,
            "exp": now + 12 * 3600,
            "iat": now,
            "jti": "jti-1",
            "client_id": client.client_id,
            "uid": client.uid,
            "scope": "",
        } | claims
        return self.loaded.sign({name: value for name, value in wanted.items() if value is not None}, now)

    def app(self, body_seconds: float = 10.0) -> GateApp:
        """The application of a gate with one port."""
        documents = public_documents(self.gate) | self._health()
        return GateApp(self.gate, Documents(self.gate, documents), body_seconds)

    def health_app(self) -> HealthApp:
        """The application of a port for health and metrics."""
        return HealthApp(Documents(self.gate, self._health()))

    def _health(self) -> dict[bytes, Document]:
        return health_documents(self.gate, self.metrics.render)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[GateServer]:
    """A real server on loopback, without the pauses that uvicorn makes around its main loop."""
    server = make_server(app, "127.0.0.1", 0)
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    try:
        yield server
    finally:
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)


def hours(number: float) -> float:
    return timedelta(hours=number).total_seconds()


@dataclass
class Caller:
    """A caller of the gate. ``auth`` is a pair for HTTP Basic."""

    session: aiohttp.ClientSession
    url: str

    async def __call__(
        self, method: str, path: str, *, auth: tuple[str, str] | None = None, **more: Any
    ) -> tuple[int, Any, bytes]:
        if auth is not None:
            more["headers"] = {"Authorization": aiohttp.encode_basic_auth(*auth), **more.get("headers", {})}
        url = yarl.URL(self.url + path, encoded=True)
        async with self.session.request(method, url, allow_redirects=False, **more) as answer:
            return answer.status, answer.headers, await answer.read()

    async def check(self, token: str | None = None, path: str = "/check") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        status, found, _ = await self("GET", path, headers=headers)
        return status, found

    async def token(
        self, form: Any = None, *, auth: tuple[str, str] | None = (CLIENT_ID, SECRET), **more: Any
    ) -> tuple[int, Any, Any]:
        if "Authorization" in dict(more.get("headers", ())):
            auth = None
        status, headers, body = await self("POST", "/token", data=FORM if form is None else form, auth=auth, **more)
        return status, headers, orjson.loads(body)

    async def revoke(
        self, token: str | None, secret: str = SECRET, client: str = CLIENT_ID, **more: str
    ) -> tuple[int, Any]:
        form = more if token is None else more | {"token": token}
        status, headers, _ = await self("POST", "/revoke", data=form, auth=(client, secret))
        assert headers["Cache-Control"] == "no-store"
        return status, headers

    async def introspect(self, token: str, secret: str = SECRET, client: str = CLIENT_ID) -> tuple[int, Any]:
        status, headers, body = await self("POST", "/introspect", data={"token": token}, auth=(client, secret))
        assert headers["Cache-Control"] == "no-store"
        return status, orjson.loads(body)


@asynccontextmanager
async def calling(world: World, body_seconds: float = 0.5) -> AsyncIterator[Caller]:
    """A caller of a real server with this world's gate."""
    async with serving(world.app(body_seconds)) as server, aiohttp.ClientSession() as session:
        yield Caller(session, f"http://127.0.0.1:{server.port}")
