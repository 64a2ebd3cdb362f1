"""A client with gates around it: what each gate has in its picture, what its Lease says, and what it answers.

The gates are written from the rules and not from the code under test: each knows the client and the holds as they were
at some version, and answers by that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apiclients.lifecycle.access import ClientContext, ClientView, standing
from apiclients.lifecycle.effective import ACCEPTS_TOKENS
from apiclients.lifecycle.enforcement import Sight, living_gates
from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.replicas import Replica, replica
from apiclients.resources.fields import format_micro_time
from apiclients.resources.names import OBEYS_ANNOTATION, READY_ANNOTATION, applied_annotation
from tests.lifecycle.world import START, World

LEASE = timedelta(seconds=15)
STALE = timedelta(seconds=10)
ALL_FEATURES = ",".join(Feature)


def lease(
    name: str,
    clients: int = 0,
    holds: int = 0,
    *,
    ready: bool | None = True,
    obeys: str = ALL_FEATURES,
    renewed: datetime = START,
) -> Replica:
    """A gate as its Lease tells; ``ready`` None for one that does not say."""
    notes = {
        OBEYS_ANNOTATION: obeys,
        applied_annotation("apiclients"): str(clients),
        applied_annotation("apiclientholds"): str(holds),
    }
    if ready is not None:
        notes[READY_ANNOTATION] = str(ready).lower()
    spec = {"renewTime": format_micro_time(renewed), "leaseDurationSeconds": int(LEASE.total_seconds())}
    return replica({"metadata": {"name": name, "annotations": notes}, "spec": spec})


@dataclass
class Gate:
    """One gate: the versions up to which its picture goes, and since when it has proved nothing."""

    name: str
    clients: int = 0
    holds: int = 0
    ready: bool = False
    hangs: bool = False
    proved: datetime = START
    told: Replica | None = None


@dataclass
class Fleet:
    """The client, the holds on it, the gates, and the operator's last write."""

    world: World = field(default_factory=World)
    gates: dict[str, Gate] = field(default_factory=dict)
    writes: int = 0
    #: How often what the gates have to obey has changed, at the most.
    changes: int = 1
    #: Each version of the client as gates see it, and of the set of holds.
    clients: dict[int, ClientView] = field(default_factory=dict)
    hold_sets: dict[int, tuple[HoldView, ...]] = field(default_factory=lambda: {0: ()})
    version: int = 1
    hold_version: int = 0
    #: What the operator remembers of its own write; a restart forgets it.
    pending: tuple[Any, int] | None = None
    started: int = 0

    def __post_init__(self) -> None:
        self._stored()

    # What people do

    def desire(self, status: str) -> None:
        self.edit(desiredStatus=status)

    def edit(self, **parts: Any) -> None:
        before = self.world.generation
        self.world.edit(**parts)
        if self.world.generation != before:
            self.changes += 1
            self._stored()

    def hold(self, *names: str) -> None:
        if tuple(view.name for view in self.world.holds) == names:
            return
        views = tuple(HoldView("team-a", name, "billing", None, None, "An emergency") for name in sorted(names))
        self.changes += 1
        self.version += 1
        self.hold_version = self.version
        self.world.holds = self.hold_sets[self.version] = views

    # What gates do

    def start(self) -> Gate:
        self.started += 1
        gate = self.gates[f"gate-{self.started}"] = Gate(f"gate-{self.started}")
        self.renew(gate)
        return gate

    def leave(self, gate: Gate) -> None:
        del self.gates[gate.name]

    def catch_up(self, gate: Gate) -> None:
        """Its watches bring all that there is, and a proof confirms it."""
        if not gate.hangs:
            gate.clients, gate.holds, gate.ready, gate.proved = self.version, self.version, True, self.world.now

    def see_clients(self, gate: Gate) -> None:
        """The watch of clients alone."""
        if not gate.hangs:
            gate.clients = self.version

    def renew(self, gate: Gate) -> None:
        if not gate.hangs:
            gate.told = lease(gate.name, gate.clients, gate.holds, ready=self.answers(gate), renewed=self.world.now)

    def verdict(self, gate: Gate) -> bool | None:
        """Whether it lets the client's tokens in; None while it answers nobody."""
        if gate.hangs:
            return None
        if not self.answers(gate):
            return False
        view = self.clients.get(max((v for v in self.clients if v <= gate.clients), default=0))
        holds = self.hold_sets[max(v for v in self.hold_sets if v <= gate.holds)]
        if view is None:
            return False
        return standing(view, self.world.now.timestamp(), ClientContext(holds)) in ACCEPTS_TOKENS

    def answers(self, gate: Gate) -> bool:
        """Whether it answers otherwise than by 503, once it answers."""
        return gate.ready and self.world.now - gate.proved <= STALE

    # What the operator does

    def reconcile(self) -> bool:
        """Whether a status was written."""
        told = [gate.told for gate in self.gates.values() if gate.told is not None]
        pending, awaited = self.pending, self._awaited()
        status_version = pending[1] if pending is not None and pending[0] == awaited else self.world.resource_version
        self.world.sight = Sight(living_gates(told, self.world.now), self.hold_version, status_version)
        before = self.world.status
        self.world.settle()
        if self.world.status == before:
            return False
        self.writes += 1
        self._stored()
        if awaited != self._awaited():
            self.pending = (self._awaited(), self.version)
        return True

    def _awaited(self) -> object:
        """What a status says that is waited for."""
        status = self.world.typed_status
        told = status.enforcement
        return (told.seen_time, told.client_version, told.holds_version, status.observed_status) if told else None

    def restart(self) -> None:
        self.pending = None

    def _stored(self) -> None:
        self.version += 1
        self.world.resource_version = self.version
        self.clients[self.version] = self.world.view()

    @property
    def told(self) -> str:
        return self.world.told("Enforced")

    @property
    def message(self) -> str:
        found = self.world.condition("Enforced")
        return found.message if found else ""

    @property
    def is_enforced(self) -> bool:
        """Whether ``kubectl wait --for=condition=Enforced`` returns."""
        found = self.world.condition("Enforced")
        return found is not None and found.status == "True" and found.observed_generation == self.world.generation
