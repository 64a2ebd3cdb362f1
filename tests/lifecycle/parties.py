"""The parties to a contract, as the API server hands them out, and a small stage on which decisions about them run.

Every status that is decided on it is checked: it fits its CRD, other programs read it right, deciding again changes
nothing, and nothing but the object decided about has changed.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients.lifecycle.approvals import decide_approval
from apiclients.lifecycle.contracts import ObservedContract, decide_contract
from apiclients.lifecycle.history import Announcement, condition_announcements
from apiclients.resources.conditions import Condition
from apiclients.resources.contract import ContractStatus
from apiclients.resources.fields import Model, format_time
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from tests.lifecycle.condition_checks import condition_faults
from tests.resources.structural import schema_of, violations

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
UNKNOWN: dict[str, Any] = {"observedGeneration": -1}
BASIC = {"name": "basic", "scopes": ["orders.read"]}
GOLD = {"name": "gold", "approval": "Manual", "scopes": ["orders.read", "orders.write"]}
MANUAL_BASIC = BASIC | {"approval": "Manual"}
AUTOMATIC_GOLD = GOLD | {"approval": "Automatic"}


def raw(namespace: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """An object as JSON, just made."""
    meta = {"namespace": namespace, "name": name, "uid": f"{namespace}-{name}", "generation": 1}
    meta |= {"creationTimestamp": format_time(NOW)} | metadata
    return {"metadata": meta, "spec": spec, "status": copy.deepcopy(UNKNOWN)}


def raw_contract(name: str = "billing-orders", plan: str = "basic", **metadata: Any) -> dict[str, Any]:
    spec = {"clientName": "billing", "api": {"namespace": "shop", "name": "orders"}, "plan": plan}
    return raw("team-a", name, spec, **metadata)


def raw_approval(plan: str = "gold", decision: str = "Approved", name: str = "yes", **spec: Any) -> dict[str, Any]:
    named = {"namespace": "team-a", "name": "billing-orders"}
    said = {"contract": named, "client": "billing", "api": "orders", "plan": plan, "decision": decision}
    return raw("shop", name, said | spec)


def raw_api(*plans: dict[str, Any], desired: str = "Published", **spec: Any) -> dict[str, Any]:
    wanted = {"desiredStatus": desired, "plans": list(plans or (BASIC, GOLD)), "consumers": {"from": "All"}}
    return raw("shop", "orders", wanted | spec)


def raw_client(desired: str = "Available", accepted: str | None = "Available", **metadata: Any) -> dict[str, Any]:
    client = raw("team-a", "billing", {"desiredStatus": desired}, **metadata)
    client["status"] = UNKNOWN | ({"desiredStatus": accepted} if accepted else {})
    return client


def raw_hold(name: str = "leak", **spec: Any) -> dict[str, Any]:
    chosen = {} if "selector" in spec else {"clientName": "billing"}
    return raw("team-a", name, {"reason": "The key was found in a public log"} | chosen | spec)


def told(status: Any, kind: str) -> str:
    """A condition as ``True/Active``; ``-`` when it is absent."""
    found: Condition | None = next((c for c in status.conditions if c.type == kind), None)
    return f"{found.status}/{found.reason}" if found else "-"


def message(status: Any, kind: str = "Ready") -> str:
    found: Condition = next(c for c in status.conditions if c.type == kind)
    return found.message


def check(status: Model, generation: int, crd: str) -> None:
    """Fail where a status does not fit its CRD or other programs would read it wrong."""
    found = [*violations(status.to_object(), schema_of("status", f"apiclients.dev_{crd}.yaml"))]
    assert found + condition_faults(status, generation) == []


@dataclass
class Stage:
    """One contract and whom it concerns, all as JSON."""

    contract: dict[str, Any] = field(default_factory=raw_contract)
    client: dict[str, Any] | None = field(default_factory=raw_client)
    api: dict[str, Any] | None = field(default_factory=raw_api)
    approvals: list[dict[str, Any]] = field(default_factory=list)
    rivals: list[dict[str, Any]] = field(default_factory=list)
    active_beside: int = 0
    allowed: bool = True
    now: datetime = NOW
    events: list[Announcement] = field(default_factory=list)

    # What people do.

    def ask(self, **spec: Any) -> Stage:
        """Edit the contract."""
        self.contract["spec"] |= spec
        self.contract["metadata"]["generation"] += 1
        return self

    def renew(self, uid: str = "another") -> Stage:
        """Delete the contract and make it again."""
        self.contract = raw_contract(plan=self.contract["spec"]["plan"], uid=uid)
        return self

    def say(self, plan: str = "gold", decision: str = "Approved", name: str = "yes", **spec: Any) -> Stage:
        """Give an approval, or edit the one of that name."""
        new, known = raw_approval(plan, decision, name, **spec), self.approval(name)
        if known is not None:
            known["spec"] = new["spec"]
            known["metadata"]["generation"] += 1
        else:
            self.approvals.append(new)
        return self

    def unsay(self, name: str = "yes") -> Stage:
        """Remove an approval."""
        self.approvals = [a for a in self.approvals if a["metadata"]["name"] != name]
        return self

    def offer(self, *plans: dict[str, Any], **spec: Any) -> Stage:
        """Edit the Api."""
        assert self.api is not None
        self.api["spec"] |= ({"plans": list(plans)} if plans else {}) | spec
        return self

    def client_wishes(self, desired: str, accepted: str) -> Stage:
        assert self.client is not None
        self.client["spec"]["desiredStatus"], self.client["status"]["desiredStatus"] = desired, accepted
        return self

    def api_wishes(self, desired: str, accepted: str) -> Stage:
        assert self.api is not None
        self.api["spec"]["desiredStatus"], self.api["status"]["desiredStatus"] = desired, accepted
        return self

    # What the operator does.

    def settle(self) -> ContractStatus:
        """Decide about approvals and the contract, like the operator, until nothing changes."""
        for approval in self.approvals:
            self.decide_approval(approval)
        self.decide_contract()
        for approval in self.approvals:
            self.decide_approval(approval)
        return self.decide_contract()

    def decide_contract(self) -> ContractStatus:
        before = Contract.from_object(self.contract)
        status = decide_contract(self._observed(), self.now)
        self.events += condition_announcements(before.status.conditions, status.conditions)
        self.contract["status"] = status.to_object()
        check(status, before.metadata.generation, "contracts")
        later = self.now + timedelta(minutes=1)
        assert decide_contract(self._observed(), later) == status, "deciding again changes nothing"
        return status

    def _observed(self) -> ObservedContract:
        api = Api.from_object(self.api) if self.api is not None and self.allowed else None
        return ObservedContract(
            contract=Contract.from_object(self.contract),
            client=ApiClient.from_object(self.client) if self.client is not None else None,
            api=api,
            approvals=tuple(map(ContractApproval.from_object, self.approvals)),
            rivals=tuple(map(Contract.from_object, self.rivals)),
            active_beside=self.active_beside,
        )

    def decide_approval(self, approval: dict[str, Any]) -> None:
        typed = ContractApproval.from_object(approval)
        others = [ContractApproval.from_object(other) for other in self.approvals]
        status = decide_approval(typed, Contract.from_object(self.contract), others, self.now)
        approval["status"] = status.to_object()
        check(status, typed.metadata.generation, "contractapprovals")

    # What can be seen.

    def approval(self, name: str = "yes") -> dict[str, Any] | None:
        return next((a for a in self.approvals if a["metadata"]["name"] == name), None)

    def approval_told(self, name: str = "yes") -> str:
        found = self.approval(name)
        assert found is not None
        return told(ContractApproval.from_object(found).status, "Ready")

    @property
    def status(self) -> ContractStatus:
        return Contract.from_object(self.contract).status

    @property
    def plan(self) -> str | None:
        """The plan in force, if any is."""
        status = self.status
        return status.in_force.plan if status.in_force is not None and status.observed_status == "Active" else None

    @property
    def seen(self) -> str:
        """``observedStatus/reason of Ready``."""
        return f"{self.status.observed_status}/{told(self.status, 'Ready').split('/')[1]}"


def hold(name: str = "leak", **spec: Any) -> ApiClientHold:
    return ApiClientHold.from_object(raw_hold(name, **spec))


def in_force(plan: str = "basic") -> Stage:
    """A contract that is in force; an approval lets gold in."""
    stage = Stage(raw_contract(plan=plan))
    if plan == "gold":
        stage.say("gold")
    stage.settle()
    assert stage.plan == plan
    stage.events.clear()
    return stage
