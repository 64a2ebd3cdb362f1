"""A small world for decisions: one ApiClient, the Secrets beside it, a key ring and a clock, all in memory.

``decide`` runs against it as the operator runs it against an API server: observe, decide, do one step, again, and write
the status last. Secrets hold real bytes, and digests and MACs are real.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients.engine.converge import MOST_STEPS, Converged, StepFailed, StepResult, converge
from apiclients.lifecycle.access import (
    ClientView,
    Denial,
    TokenClaims,
    client_view,
    issue_time,
    secret_denial,
    token_denial,
)
from apiclients.lifecycle.client import Decision, decide
from apiclients.lifecycle.contract_view import contract_view
from apiclients.lifecycle.digests import Stamp, digest
from apiclients.lifecycle.enforcement import Sight
from apiclients.lifecycle.features import Lacking
from apiclients.lifecycle.history import Announcement
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.identities import NOTHING_OBSERVED, ObservedIdentities
from apiclients.lifecycle.manifest import new_secret_object, secret_object
from apiclients.lifecycle.observation import Observed, SecretAbsent, SecretSeen, SecretUnseen
from apiclients.lifecycle.reports import NO_REPORTS, Reports
from apiclients.lifecycle.steps import (
    CreateSecret,
    DeleteSecret,
    ProveContracts,
    ReadSecret,
    RepairSecret,
    ReplaceSecret,
    Step,
)
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS, TemplateKeys, permitted
from apiclients.lifecycle.timing import MIN_LIFETIME
from apiclients.lifecycle.usage import LastUse
from apiclients.resources.apiclient import ApiClientStatus, ClientContracts
from apiclients.resources.conditions import Condition
from apiclients.resources.fields import format_time
from apiclients.resources.keys import Pepper
from apiclients.resources.names import CLIENT_SECRET_KEY, MANAGED_BY, MANAGED_BY_LABEL, ROTATE_REQUESTED_ANNOTATION
from apiclients.resources.objects import ApiClient, Contract
from tests.lifecycle.stored_secret import ISSUER, bytes_of, labelled, metadata_of, read_secret

START = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
REFUSED = "Cannot write the Secret: 403 Forbidden"


def pepper(number: int) -> Pepper:
    """A pepper that is told apart from others by its number."""
    key = base64.urlsafe_b64encode(bytes([number]) * 32).decode().rstrip("=")
    return Pepper(id=f"p{number}", key=key, created_time=START)


def is_write(step: Step) -> bool:
    """Whether the API server can reject it. A proof only reads, and without one no reconcile ends."""
    return not isinstance(step, ProveContracts)


class Crash(Exception):  # noqa: N818 - it is no error
    """The operator stops here."""


@dataclass
class World:
    """Everything that the API server holds, and the operator's clock and keys."""

    spec: dict[str, Any] = field(default_factory=lambda: {"desiredStatus": "Available"})
    status: dict[str, Any] = field(default_factory=lambda: {"observedGeneration": -1})
    name: str = "billing"
    uid: str = "11111111-aaaa"
    generation: int = 1
    annotations: dict[str, str] = field(default_factory=dict)
    deletion_time: str | None = None
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    peppers: list[Pepper] = field(default_factory=lambda: [pepper(1)])
    now: datetime = START
    clock_trusted: bool = True
    #: TokenIssuers, and who else claims the client's subjects.
    identities: ObservedIdentities = NOTHING_OBSERVED
    #: Which living gates do not obey which features.
    gates_lacking: Lacking = field(default_factory=dict)
    #: What gates report of its use.
    last_use: LastUse | None = None
    reports: Reports = NO_REPORTS
    #: How far the gates are; None while nobody knows.
    sight: Sight | None = None
    #: The holds that stop it.
    holds: tuple[HoldView, ...] = ()
    resource_version: int = 1
    template_keys: TemplateKeys = DEFAULT_TEMPLATE_KEYS
    min_lifetime: timedelta = MIN_LIFETIME
    #: Whether the operator's cache shows its own Secrets; a late cache shows none.
    cache_late: bool = False
    #: Names of the client's active contracts.
    contracts: set[str] = field(default_factory=set)
    changed_by: str | None = "flux"
    #: When the last reconcile asked to be called again.
    due: datetime | None = None
    #: Every step that was done, and every secret that was ever made, in order.
    steps: list[Step] = field(default_factory=list)
    issued: list[bytes] = field(default_factory=list)
    events: list[Announcement] = field(default_factory=list)
    _version: int = 100

    # What a person, Git or time does.

    def edit(self, **parts: Any) -> World:
        """Edit spec; keys with two underscores reach below: ``secret__revision=2``. None removes a field."""
        before = copy.deepcopy(self.spec)
        for path, value in parts.items():
            *parents, leaf = path.split("__")
            node = self.spec
            for parent in parents:
                node = node.setdefault(parent, {})
            if value is None:
                node.pop(leaf, None)
            else:
                node[leaf] = value
        self.generation += self.spec != before
        return self

    def desire(self, status: str) -> World:
        return self.edit(desiredStatus=status)

    def request_rotation(self, token: str) -> World:
        self.annotations[ROTATE_REQUESTED_ANNOTATION] = token
        return self

    def delete(self) -> World:
        self.deletion_time = format_time(self.now)
        return self

    def recreate(self, uid: str) -> World:
        """Delete the client and create one of the same name; its Secret is not collected yet."""
        self.uid, self.status, self.deletion_time, self.generation = uid, {"observedGeneration": -1}, None, 1
        return self

    def restore(self, uid: str) -> World:
        """Delete everything and put it back from a backup: objects without UID, status and owners, as Velero does."""
        for secret in list(self.secrets.values()):
            for field_name in ("ownerReferences", "uid"):
                secret["metadata"].pop(field_name, None)
            self._store(secret)
        return self.recreate(uid)

    def wipe_status(self) -> World:
        self.status = {"observedGeneration": -1}
        return self

    def wait(self, *spans: timedelta) -> World:
        self.now += sum(spans, timedelta())
        return self

    def edit_secret(self, value: bytes | None = None, *, name: str = "billing-credentials", **top: Any) -> World:
        """Somebody puts other bytes into the Secret, or other fields at its top."""
        secret = self.secrets[name]
        if value is not None:
            secret["data"][CLIENT_SECRET_KEY] = base64.b64encode(value).decode()
        secret.update(top)
        self._store(secret)
        return self

    def put_foreign(self, name: str = "billing-credentials", owner: dict[str, Any] | None = None) -> World:
        """Somebody else's Secret takes the name."""
        meta: dict[str, Any] = {"name": name, "namespace": "team-a", "labels": {}, "annotations": {}}
        if owner is not None:
            meta |= {"ownerReferences": [owner | {"controller": True}], "labels": {MANAGED_BY_LABEL: MANAGED_BY}}
        data = {CLIENT_SECRET_KEY: base64.b64encode(b"theirs").decode()}
        self.secrets.pop(name, None)
        self._store({"type": "Opaque", "metadata": meta, "data": data})
        return self

    # What the operator does.

    def client(self) -> ApiClient:
        """The client as the API server hands it out."""
        metadata = {
            "namespace": "team-a",
            "name": self.name,
            "uid": self.uid,
            "generation": self.generation,
            "resourceVersion": str(self.resource_version),
            "annotations": self.annotations,
            "deletionTimestamp": self.deletion_time,
        }
        client = ApiClient.from_object({"metadata": metadata, "spec": self.spec, "status": self.status})
        return replace(client, changed_by=self.changed_by)

    def observe(self) -> Observed:
        """What the cache of metadata shows."""
        client = self.client()
        mine = {} if self.cache_late else {n: s for n, s in self.secrets.items() if labelled(s)}
        seen = metadata_of(mine[client.secret_name]) if client.secret_name in mine else SecretUnseen()
        others = (metadata_of(s) for n, s in sorted(mine.items()) if n != client.secret_name)
        return Observed(
            client=client,
            secret=seen,
            issuer=ISSUER,
            peppers=tuple(p.id for p in self.peppers),
            contracts=self._contracts(),
            other_secrets=tuple(o for o in others if o.owner is not None and o.owner.uid == self.uid),
            clock_trusted=self.clock_trusted,
            identities=self.identities,
            gates_lacking=self.gates_lacking,
            sight=self.sight,
            holds=self.holds,
            last_use=self.last_use,
            reports=self.reports,
            template_keys=self.template_keys,
            min_lifetime=self.min_lifetime,
        )

    def settle(
        self, *, actions: int | None = None, refuse: Callable[[Step], bool] = lambda step: False
    ) -> ApiClientStatus:
        """Reconcile once. ``actions`` is after how many steps or writes to crash; ``refuse`` makes steps fail."""
        budget = _Budget(actions)
        convergence = converge(self.client(), _Observing(self.observe()), lambda: self.now)  # type: ignore[arg-type]
        converged, refused = None, False
        try:
            step = next(convergence)
            while True:
                refused = refuse(step)
                step = convergence.send(StepFailed(REFUSED) if refused else self._answer(step, budget))
        except StopIteration as end:
            converged = end.value
        assert converged is not None
        assert refused or converged.failure is None, f"not settled: {self.steps[-MOST_STEPS:]}"
        self.due = converged.due
        return self._write(converged, budget)

    def take_steps(self, observed: Observed, most: int) -> None:
        """What an operator that observes this does, without writing the status."""
        convergence = converge(self.client(), _Observing(observed), lambda: self.now)  # type: ignore[arg-type]
        try:
            step = next(convergence)
            for _ in range(most):
                step = convergence.send(self._answer(step, _Budget(None)))
        except StopIteration:
            return

    def crash(self, actions: int) -> bool:
        """Reconcile and stop after that many actions; whether it got that far."""
        try:
            self.settle(actions=actions)
        except Crash:
            return True
        return False

    def decide(self) -> Decision:
        return decide(self.observe(), self.now)

    def _write(self, converged: Converged, budget: _Budget) -> ApiClientStatus:
        status = converged.status
        assert isinstance(status, ApiClientStatus)
        if status != self.typed_status:
            budget.spend()
            self.events += converged.announcements
            self.status = status.to_object()
        return status

    def _answer(self, step: Step, budget: _Budget) -> StepResult:
        if isinstance(step, ProveContracts):  # only looks
            return tuple(contract_view(Contract.from_object(self._contract(name))) for name in sorted(self.contracts))
        budget.spend()
        self.steps.append(step)
        match step:
            case ReadSecret():
                return self._read(step.name)
            case CreateSecret():
                return self._create(step)
            case ReplaceSecret():
                return self._apply(step.name, step.stamp, self._new_bytes(), step.resource_version)
            case RepairSecret():
                return self._apply(step.name, step.stamp, self.secret_bytes(step.name), step.resource_version)
            case DeleteSecret():
                meta = self.secrets.get(step.name, {}).get("metadata", {})
                if (meta.get("uid"), meta.get("resourceVersion")) == (step.uid, step.resource_version):
                    self._delete(self.secrets[step.name])
                return self._read(step.name)

    def _contract(self, name: str) -> dict[str, Any]:
        """An active contract of the client."""
        return {
            "metadata": {"namespace": "team-a", "name": name, "uid": f"contract-{name}"},
            "spec": {"clientName": self.name, "api": {"namespace": "shop", "name": name}, "plan": "gold"},
            "status": {"observedStatus": "Active"},
        }

    def _contracts(self) -> ClientContracts:
        names = sorted(self.contracts)
        return ClientContracts(active=len(names), pending=0, rejected=0, active_names=names)

    def _create(self, step: CreateSecret) -> SecretSeen:
        if step.name not in self.secrets:
            new = self._new_bytes()
            self._store(new_secret_object(self.client(), ISSUER, step.name, step.stamp, new, self.peppers[-1]))
        return self._read(step.name)

    def _apply(self, name: str, stamp: Stamp, value: bytes, version: str) -> SecretSeen:
        live = self.secrets.get(name)
        if live is not None and live["metadata"]["resourceVersion"] == version:
            template = permitted(self.client().spec.secret.template, self.template_keys)
            body = secret_object(self.client(), ISSUER, template, name, stamp, value, self.peppers[-1])
            body["metadata"]["uid"] = live["metadata"]["uid"]
            self._store(body)
        return self._read(name)

    def _read(self, name: str) -> SecretSeen:
        secret = self.secrets.get(name)
        return SecretAbsent() if secret is None else read_secret(secret, self.client(), self.peppers)

    def _delete(self, secret: dict[str, Any]) -> None:
        meta = secret["metadata"]
        if meta.get("finalizers"):
            meta["deletionTimestamp"] = format_time(self.now)
            self._store(secret)
        else:
            del self.secrets[meta["name"]]

    def _new_bytes(self) -> bytes:
        self.issued.append(f"secret-{len(self.issued) + 1}".encode())
        return self.issued[-1]

    def _store(self, secret: dict[str, Any]) -> None:
        self._version += 1
        meta = secret["metadata"]
        meta.setdefault("uid", f"secret-uid-{self._version}")
        meta["resourceVersion"] = str(self._version)
        self.secrets[meta["name"]] = secret

    # What can be seen.

    @property
    def typed_status(self) -> ApiClientStatus:
        return ApiClientStatus.model_validate(self.status)

    @property
    def observed(self) -> str | None:
        return self.status.get("observedStatus")

    @property
    def not_before(self) -> datetime | None:
        tokens = self.typed_status.tokens
        return tokens.not_before if tokens else None

    @property
    def credential_ids(self) -> list[int]:
        return [c.id for c in self.typed_status.credentials]

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.typed_status.conditions if c.type == kind), None)

    def told(self, kind: str) -> str:
        """A condition as ``True/Available``; ``-`` when it is absent."""
        found = self.condition(kind)
        return f"{found.status}/{found.reason}" if found else "-"

    def secret_bytes(self, name: str = "billing-credentials") -> bytes:
        return bytes_of(self.secrets[name], CLIENT_SECRET_KEY)

    # What the gate does with it.

    def view(self) -> ClientView:
        return client_view(self.client())

    def log_in(self, secret: bytes | None = None) -> TokenClaims | Denial:
        """A token for a secret (by default the one in the Secret), or why not."""
        presented = self.secret_bytes() if secret is None else secret
        client, digests = self.view(), {p.id: digest(p, presented) for p in self.peppers}
        denial = secret_denial(client, digests, self.now.timestamp())
        if denial is not None:
            return denial
        return issue(client, self.now)

    def token(self, secret: bytes | None = None) -> TokenClaims:
        """A token; fails the test when none is issued."""
        claims = self.log_in(secret)
        assert isinstance(claims, TokenClaims), f"no token: {claims}"
        return claims

    def refusal(self, token: TokenClaims) -> Denial | None:
        """Why a token is refused now, or None."""
        return token_denial(self.view(), token, self.now.timestamp())


def issue(client: ClientView, now: datetime) -> TokenClaims:
    """The token that a gate with this picture of a client issues."""
    issued_at = issue_time(client, now.timestamp())
    return TokenClaims(client.uid, issued_at, issued_at + client.token_seconds)


@dataclass
class _Observing:
    """An observer of one client."""

    observed: Observed

    def client(self, client: ApiClient, now: datetime) -> Observed:
        return self.observed


class _Budget:
    """Counts actions and crashes when they are used up."""

    def __init__(self, actions: int | None) -> None:
        self._left = actions

    def spend(self) -> None:
        if self._left == 0:
            raise Crash
        if self._left is not None:
            self._left -= 1


def available(**parts: Any) -> World:
    """A client that has settled as Available, ten minutes old."""
    world = World().edit(**parts)
    world.generation = 1
    world.settle()
    assert world.observed == "Available"
    return world.wait(timedelta(minutes=10))
