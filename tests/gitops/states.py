"""Objects of every kind in every state, as the API server hands them out, with statuses that the operator decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from apiclients.lifecycle.approvals import decide_approval
from apiclients.lifecycle.client import decide
from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.holds import decide_hold, hold_view
from apiclients.resources.apiclient import MAX_CONTRACTS
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClientHold, ContractApproval
from tests.lifecycle.parties import NOW, Stage, hold, in_force, raw_approval, raw_contract, raw_hold
from tests.lifecycle.test_apis import Owned, published
from tests.lifecycle.world import World, available
from tests.toolkit import objects
from tests.toolkit.objects import JsonObject

DAY = timedelta(days=1)
CURRENT, FAILED, IN_PROGRESS = "Current", "Failed", "InProgress"
OLD_GATE = dict.fromkeys(Feature, ("apiclient-gate-old",))
HEALTHY, SUSPENDED, DEGRADED, PROGRESSING = "Healthy", "Suspended", "Degraded", "Progressing"


@dataclass(frozen=True, slots=True)
class State:
    """One state of one kind, and what kstatus (and so Flux) and Argo CD are to make of it."""

    name: str
    make: Callable[[], JsonObject]
    kstatus: str
    argocd: str


def of_client(world: World) -> JsonObject:
    """The ApiClient of a world."""
    made = objects.client(world.name)
    return objects.stored(made | {"spec": world.spec}, world.status, generation=world.generation)


def client(change: Callable[[World], object], *, after: timedelta = timedelta(0)) -> JsonObject:
    """A client that was available, was changed, and has settled ``after`` that."""
    world = available()
    change(world)
    world.settle()
    world.wait(after).settle()
    return of_client(world)


def _held() -> JsonObject:
    world = available()
    status = decide(replace(world.observe(), holds=(hold_view(hold()),)), world.now).status
    world.status = status.to_object()
    return of_client(world)


def _not_acknowledged() -> JsonObject:
    world = available()
    world.contracts.add("billing-orders")
    world.desire("Retired").settle()
    return of_client(world)


def _expired() -> JsonObject:
    world = available(secret__rotation="Manual")
    world.wait(91 * DAY).settle()
    return of_client(world)


def _refused() -> JsonObject:
    world = available().edit(secret__revision=2)
    world.settle(refuse=lambda step: True)
    return of_client(world)


def _beside_old_gate() -> JsonObject:
    world = available(secret__notBefore="2020-01-01T00:00:00Z")
    world.gates_lacking = OLD_GATE
    world.settle()
    return of_client(world)


def _wrong_clock() -> JsonObject:
    world = available().desire("Retired")
    world.clock_trusted = False
    world.settle()
    return of_client(world)


def _api(owned: Owned) -> JsonObject:
    owned.settle()
    return owned.raw


def _final() -> Owned:
    owned = published().desire("Retired")
    owned.settle()
    owned.wait(2 * DAY).settle()
    return owned


def _contract(stage: Stage) -> JsonObject:
    stage.settle()
    return stage.contract


def _rival() -> Stage:
    older = in_force().contract
    older["metadata"] |= {"name": "older", "uid": "older", "creationTimestamp": format_time(NOW - DAY)}
    return Stage(rivals=[older])


def _approval(stage: Stage, name: str = "yes") -> JsonObject:
    stage.settle()
    found = stage.approval(name)
    assert found is not None
    return found


def _approval_alone() -> JsonObject:
    raw = raw_approval()
    return raw | {"status": decide_approval(ContractApproval.from_object(raw), None, [], None, NOW).to_object()}


def _hold(expires: str | None = None) -> JsonObject:
    spec = {"expiresTime": expires} if expires else {}
    status = decide_hold(hold(**spec), ["billing"], NOW, clock_trusted=True).status
    return raw_hold(**spec) | {"status": status.to_object()}


def _hold_beside_old_gate() -> JsonObject:
    raw = objects.stored(objects.hold("stop", None, allClients=True))
    one = ApiClientHold.from_object(raw)
    status = decide_hold(one, ["billing"], NOW, clock_trusted=True, gates_lacking=OLD_GATE).status
    return raw | {"status": status.to_object()}


_CLIENTS = (
    State("just created", lambda: of_client(World()), IN_PROGRESS, PROGRESSING),
    State("edited, not observed", lambda: of_client(available().edit(owner="x")), IN_PROGRESS, PROGRESSING),
    State("a write is refused", _refused, IN_PROGRESS, PROGRESSING),
    State("wrong clock", _wrong_clock, IN_PROGRESS, PROGRESSING),
    State("available", lambda: of_client(available()), CURRENT, HEALTHY),
    State("rotated", lambda: client(lambda w: w.edit(secret__revision=2)), CURRENT, HEALTHY),
    State("retired", lambda: client(lambda w: w.desire("Retired")), CURRENT, HEALTHY),
    State("destroyed", lambda: client(lambda w: w.desire("Retired"), after=2 * DAY), CURRENT, HEALTHY),
    State("suspended", lambda: client(lambda w: w.desire("Suspended")), CURRENT, SUSPENDED),
    State("held", _held, CURRENT, SUSPENDED),
    State("expired, Manual", _expired, FAILED, DEGRADED),
    State("somebody's Secret", lambda: client(lambda w: w.put_foreign()), FAILED, DEGRADED),
    State("invalid spec", lambda: client(lambda w: w.edit(secret__renewBefore="9999h")), FAILED, DEGRADED),
    State("not acknowledged", _not_acknowledged, FAILED, DEGRADED),
    State("a gate is too old", _beside_old_gate, FAILED, DEGRADED),
    State(
        "template refused",
        lambda: client(lambda w: w.edit(secret__template={"labels": {"argocd.argoproj.io/secret-type": "cluster"}})),
        FAILED,
        DEGRADED,
    ),
)
_APIS = (
    State("just created", lambda: Owned().raw, IN_PROGRESS, PROGRESSING),
    State("published", lambda: published().raw, CURRENT, HEALTHY),
    State("retired", lambda: _api(published().desire("Retired")), CURRENT, HEALTHY),
    State("finally retired", lambda: _final().raw, CURRENT, HEALTHY),
    State("not acknowledged", lambda: _api(published(3).desire("Retired")), FAILED, DEGRADED),
    State("published again", lambda: _api(_final().desire("Published")), FAILED, DEGRADED),
)
_CONTRACTS = (
    State("just created", raw_contract, IN_PROGRESS, PROGRESSING),
    State("no client", lambda: _contract(Stage(client=None)), IN_PROGRESS, PROGRESSING),
    State("no Api", lambda: _contract(Stage(api=None)), IN_PROGRESS, PROGRESSING),
    State("not allowed", lambda: _contract(Stage(allowed=False)), IN_PROGRESS, PROGRESSING),
    State("no plan", lambda: _contract(Stage(raw_contract(plan="iron"))), IN_PROGRESS, PROGRESSING),
    State("active", lambda: in_force().contract, CURRENT, HEALTHY),
    State("approved", lambda: in_force("gold").contract, CURRENT, HEALTHY),
    State("ended with client", lambda: _contract(Stage().client_wishes("Retired", "Retired")), CURRENT, HEALTHY),
    State("ended with Api", lambda: _contract(Stage().api_wishes("Retired", "Retired")), CURRENT, HEALTHY),
    State("waits for approval", lambda: _contract(Stage(raw_contract(plan="gold"))), CURRENT, SUSPENDED),
    State("active, next plan waits", lambda: _contract(in_force().ask(plan="gold")), CURRENT, SUSPENDED),
    State("rejected", lambda: _contract(Stage(raw_contract(plan="gold")).say(decision="Rejected")), FAILED, DEGRADED),
    State("conflict", lambda: _contract(_rival()), FAILED, DEGRADED),
    State("too many", lambda: _contract(Stage(other_active=MAX_CONTRACTS)), FAILED, DEGRADED),
)
_APPROVALS = (
    State("just created", raw_approval, IN_PROGRESS, PROGRESSING),
    State("no contract", _approval_alone, IN_PROGRESS, PROGRESSING),
    State("counted", lambda: _approval(in_force("gold")), CURRENT, HEALTHY),
    State("rejection", lambda: _approval(in_force("gold").say(decision="Rejected")), CURRENT, HEALTHY),
    State("outvoted", lambda: _approval(in_force("gold").say(decision="Rejected", name="no")), CURRENT, HEALTHY),
)
_HOLDS = (
    State("just created", raw_hold, IN_PROGRESS, PROGRESSING),
    State("holding", _hold, CURRENT, HEALTHY),
    State("expired", lambda: _hold(format_time(NOW - DAY)), CURRENT, HEALTHY),
    State("a gate is too old", _hold_beside_old_gate, FAILED, DEGRADED),
)
STATES = {
    f"{kind}: {state.name}": state
    for kind, states in {
        "ApiClient": _CLIENTS,
        "Api": _APIS,
        "Contract": _CONTRACTS,
        "ContractApproval": _APPROVALS,
        "ApiClientHold": _HOLDS,
    }.items()
    for state in states
}
