"""The parties to a contract, as the API server hands them out, and a small stage on which decisions about them run.

Every status that is decided on it is checked: it fits its CRD, other programs read it right, deciding again changes
nothing, and nothing but the object decided about has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients.lifecycle.access import client_view
from apiclients.lifecycle.api_view import api_view
from apiclients.lifecycle.approvals import Parties, decide_approval, ruling
from apiclients.lifecycle.contract_view import ContractView, contract_view, stands_first
from apiclients.lifecycle.contracts import ObservedContract, decide_contract
from apiclients.lifecycle.history import Announcement, condition_announcements
from apiclients.resources.conditions import Condition
from apiclients.resources.contract import ContractStatus
from apiclients.resources.fields import Model, format_time
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from tests.lifecycle.condition_checks import condition_faults
from tests.resources.structural import schema_of, violations
from tests.toolkit import objects
from tests.toolkit.objects import JsonObject

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
BASIC = {"name": "basic", "scopes": ["orders.read"]}
GOLD = {"name": "gold", "approval": "Manual", "scopes": ["orders.read", "orders.write"]}
MANUAL_BASIC = BASIC | {"approval": "Manual"}
AUTOMATIC_GOLD = GOLD | {"approval": "Automatic"}


def raw(made: JsonObject, **metadata: Any) -> JsonObject:
    """A manifest as the API server hands it out, just made."""
    return objects.stored(made, **{"creationTimestamp": format_time(NOW)} | metadata)


def raw_contract(name: str = "billing-orders", plan: str = "basic", **metadata: Any) -> JsonObject:
    return raw(objects.contract(name, plan=plan), **metadata)


def granted(contract: JsonObject) -> JsonObject:
    """A contract that is in force."""
    status = Stage(contract).settle()
    return contract | {"status": status.to_object()}


def raw_approval(plan: str = "gold", decision: str = "Approved", name: str = "yes", **spec: Any) -> JsonObject:
    made = objects.approval(name, plan=plan, decision=decision)
    made["spec"] |= spec
    return raw(made)


def raw_api(*plans: JsonObject, desired: str = "Published", **spec: Any) -> JsonObject:
    made = objects.api("orders", *(plans or (BASIC, GOLD)), desired=desired)
    made["spec"] |= spec
    return raw(made)


def raw_client(desired: str = "Available", accepted: str | None = "Available", **metadata: Any) -> JsonObject:
    client = raw(objects.client(desired=desired), **metadata)
    client["status"] |= {"desiredStatus": accepted} if accepted else {}
    return client


def raw_hold(name: str = "leak", **spec: Any) -> JsonObject:
    return raw(objects.hold(name, None if "selector" in spec else "billing", **spec))


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
    other_active: int = 0
    allowed: bool = True
    #: The hour that gates report.
    last_use: int | None = None
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
            client=client_view(ApiClient.from_object(self.client)) if self.client is not None else None,
            api=api_view(api) if api is not None else None,
            rulings=tuple(ruling(ContractApproval.from_object(one)) for one in self.approvals),
            rival=self._rival(),
            other_active=self.other_active,
            last_use=self.last_use,
        )

    def _rival(self) -> ContractView | None:
        views = (contract_view(Contract.from_object(one)) for one in self.rivals)
        return min(filter(stands_first, views), key=lambda view: view.age_key, default=None)

    def decide_approval(self, approval: dict[str, Any]) -> None:
        typed = ContractApproval.from_object(approval)
        others = [ruling(ContractApproval.from_object(other)) for other in self.approvals]
        client, api = (obj and obj["metadata"]["uid"] for obj in (self.client, self.api))
        parties = Parties(client, api) if client and api else None
        contract = contract_view(Contract.from_object(self.contract)) if self.contract else None
        status = decide_approval(typed, contract, others, parties, self.now)
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
