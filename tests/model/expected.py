"""What the design promises, as plainly as it can be said: the reference model of histories.

It is written from the rules, not from the code. It knows no conditions, versions or caches: only who desires what, what
the operator has agreed to, and what a gate must answer. ``settle`` does all that the operator does, whenever it is up.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from apiclients.resources.refs import NamespacedName
from tests.model.facts import Api, Approval, Client, Contract, Granted, Hold, Token
from tests.model.histories import (
    GOLD,
    GRACE,
    MANUAL,
    MANUAL_LIFETIME,
    TOKEN_LIFETIME,
    Delete,
    LabelNamespace,
    OldGate,
    Operator,
    PutApi,
    PutApproval,
    PutClient,
    PutContract,
    PutHold,
    Step,
    Wait,
)


@dataclass
class Expected:
    """Everything there is, by namespace and name."""

    now: datetime
    up: bool = True
    #: Whether a gate lives that does not know the fields that came last.
    old_gate: bool = False
    clients: dict[NamespacedName, Client] = field(default_factory=dict)
    apis: dict[NamespacedName, Api] = field(default_factory=dict)
    contracts: dict[NamespacedName, Contract] = field(default_factory=dict)
    approvals: dict[NamespacedName, Approval] = field(default_factory=dict)
    holds: dict[NamespacedName, Hold] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # What happens.

    def do(self, step: Step) -> None:
        match step:
            case PutClient():
                self._put_client(step)
            case PutApi():
                self.apis[step.key] = replace(self.apis.get(step.key) or Api(step, next(self.numbers)), spec=step)
            case PutContract():
                known = self.contracts.get(step.key) or Contract(step, next(self.numbers))
                known.spec = step
                self.contracts[step.key] = known
            case PutApproval():
                said = self.approvals.setdefault(step.key, Approval(step))
                said.spec, said.edited = step, said.edited or said.spec != step
            case PutHold():
                self.holds[step.key] = Hold(step, self.now)
            case Delete():
                self._all(step.kind).pop(step.key, None)
            case LabelNamespace():
                self.labels[step.namespace] = dict(step.labels)
            case Wait():
                self.now += step.span
            case Operator():
                self.up = step.up
            case OldGate():
                self.old_gate = step.there

    def _put_client(self, step: PutClient) -> None:
        known = self.clients.get(step.key)
        if known is None:
            self.clients[step.key] = Client(step, next(self.numbers))
            return
        before, now = ((one.desired, one.acknowledged, one.revoked) for one in (known.spec, step))
        wished = before != now
        known.generation += wished  # labels are not part of the desired
        known.spec = step

    def _all(self, kind: str) -> dict[NamespacedName, object]:
        kinds: dict[str, object] = {
            "ApiClient": self.clients,
            "Api": self.apis,
            "Contract": self.contracts,
            "ContractApproval": self.approvals,
            "ApiClientHold": self.holds,
        }
        return kinds[kind]  # type: ignore[return-value]

    # What the operator makes of it.

    def settle(self) -> None:
        """Do all that there is to do, in any order: again until nothing changes."""
        before = None
        while self.up and before != (before := self._facts()):
            for approval in self.approvals.values():
                self._bind(approval)
            for key, api in self.apis.items():
                self._consider_api(key, api)
            for contract in self.contracts.values():
                contract.status, contract.reason, contract.granted = self._judge(contract)
            for client in self.clients.values():
                self._consider_client(client)

    def _facts(self) -> object:
        return copy.deepcopy((self.clients, self.apis, self.contracts, self.approvals))

    def _bind(self, approval: Approval) -> None:
        """An approval speaks of the contract that was there when it was first matched, and stays so when edited.

        It matches a contract that asks for its plan, or in which that plan is in force.
        """
        contract = self.contracts.get(approval.spec.contract)
        if contract is not None and approval.bound == contract.number:
            self._note_parties(approval, contract)
        if not approval.edited:
            if contract is not None and self._lets_in_again(approval, contract):
                approval.bound = contract.number
            return
        before = approval.bound
        self._bind_edited(approval, contract)
        if approval.bound != before:
            approval.parties = None

    def _note_parties(self, approval: Approval, contract: Contract) -> None:
        granted = contract.granted
        if granted is not None and self._as_granted(contract) and granted.plan == approval.spec.plan:
            approval.parties = granted.client[1], granted.api[1]

    def _lets_in_again(self, approval: Approval, contract: Contract) -> bool:
        """Whether a contract was made again under the approved plan, by the same client for the same Api."""
        client = self.clients.get((contract.spec.key[0], contract.spec.client))
        api = self.apis.get(contract.spec.api)
        if client is None or api is None or approval.bound == contract.number:
            return False
        same = approval.parties == (client.number, api.number) and approval.spec.decision == "Approved"
        matches = self.speaks(approval, contract, approval.spec.plan) and approval.spec.plan in self._plans(contract)
        return same and matches

    def _bind_edited(self, approval: Approval, contract: Contract | None) -> None:
        if contract is None or not self.speaks(approval, contract, approval.spec.plan):
            approval.bound = None
        elif approval.bound == contract.number or approval.spec.plan in self._plans(contract):
            approval.bound, approval.edited = contract.number, False
        else:
            approval.bound = None

    def _plans(self, contract: Contract) -> set[str]:
        """The plan asked for, and the one in force, if it is for the client and Api that are asked for."""
        granted, asked = contract.granted, contract.spec
        stands = granted is not None and (granted.client[0], granted.api[0]) == (asked.client, asked.api)
        return {asked.plan, granted.plan} if granted is not None and stands else {asked.plan}

    def speaks(self, approval: Approval, contract: Contract, plan: str) -> bool:
        said, asked = approval.spec, contract.spec
        return (said.contract, said.client, (said.key[0], said.api), said.plan) == (
            asked.key,
            asked.client,
            asked.api,
            plan,
        )

    def said(self, contract: Contract, plan: str) -> str | None:
        """What the Api's owner says of a plan: a rejection wins, and counts from the first moment."""
        speaking = [one for one in self.approvals.values() if self.speaks(one, contract, plan)]
        if any(a.spec.decision == "Rejected" and (a.edited or a.bound == contract.number) for a in speaking):
            return "Rejected"
        approved = [a for a in speaking if a.spec.decision == "Approved" and a.bound == contract.number]
        return "Approved" if approved else None

    def _consider_api(self, key: NamespacedName, api: Api) -> None:
        """Retired if its active contracts are acknowledged by count; final after the grace period (rules 9, 13)."""
        over = api.retired is not None and self.now >= api.retired + GRACE
        api.final = api.final or over
        active = sum(c.status == "Active" and c.spec.api == key for c in self.contracts.values())
        held = api.desired != "Retired" and api.spec.acknowledged < active
        if api.final or (api.spec.desired == "Retired" and not held):
            api.desired, api.retired = "Retired", api.retired or self.now
        else:
            api.desired, api.retired = "Published", None

    def _judge(self, contract: Contract) -> tuple[str, str, Granted | None]:
        """Observed status, reason, and what is (or was, before a retirement) in force."""
        asked = contract.spec
        client = self.clients.get((asked.key[0], asked.client))
        if client is None:
            return "Pending", "ClientNotFound", None
        if any(self._is_behind(contract, other) for other in self.contracts.values()):
            return "Inactive", "Conflict", None
        known = contract.granted
        api = self.apis.get(asked.api)
        if known is not None and known.client != (asked.client, client.number):
            known = None  # another client is a new request
        if known is not None and api is not None and known.api != (asked.api, api.number):
            known = None  # so is another Api, of the same name or not
        if api is None or not self._may_contract(api, asked.key[0]) or not self._stands(contract, api, known):
            known = None  # what let it in is gone
        if client.desired == "Retired":
            return "Inactive", "ClientRetired", known
        if api is None or not self._may_contract(api, asked.key[0]):
            return "Pending", "ApiNotFound", None
        if api.desired == "Retired":
            return "Inactive", "ApiRetired", known
        return self._under_plan(contract, client, api, known)

    def _under_plan(
        self, contract: Contract, client: Client, api: Api, known: Granted | None
    ) -> tuple[str, str, Granted | None]:
        """The plan that is asked for, or meanwhile the one before it (make before break).

        While spec of the client, or of the Api, says Retired none becomes active.
        """
        plan, said = contract.spec.plan, self.said(contract, contract.spec.plan)
        approval = dict(api.spec.plans).get(plan)
        meanwhile = "Active" if known is not None else None
        if approval is None:
            return meanwhile or "Pending", "PlanNotFound", known
        if said == "Rejected":
            return meanwhile or "Rejected", "Rejected", known
        stays = known is not None and known.plan == plan
        if approval == "Manual" and said is None and not stays:
            return meanwhile or "PendingApproval", "PendingApproval", known
        going_on = contract.status == "Active" and known is not None
        if not going_on and "Retired" in (client.spec.desired, api.spec.desired):
            return "Inactive", "ClientRetired" if client.spec.desired == "Retired" else "ApiRetired", known
        by_approval = approval == "Manual" and (said is not None or (known is not None and known.by_approval))
        parties = (contract.spec.client, client.number), (contract.spec.api, api.number)
        return "Active", "Active", Granted(plan, *parties, by_approval)

    def _is_behind(self, contract: Contract, other: Contract) -> bool:
        """Whether another contract of the two is older, and in force or was so before a retirement."""
        return other.number < contract.number and self._same_deal(other, contract) and self._as_granted(other)

    def _same_deal(self, one: Contract, other: Contract) -> bool:
        return (one.spec.key[0], one.spec.client, one.spec.api) == (
            other.spec.key[0],
            other.spec.client,
            other.spec.api,
        )

    def _stands(self, contract: Contract, api: Api, granted: Granted | None) -> bool:
        """Whether what let a plan into force still does (rule 14)."""
        if granted is None:
            return False
        approval, said = dict(api.spec.plans).get(granted.plan), self.said(contract, granted.plan)
        if approval is None or said == "Rejected":
            return False
        return approval == "Automatic" or said == "Approved" or not granted.by_approval

    def _may_contract(self, api: Api, namespace: str) -> bool:
        selected = self.labels.get(namespace, {}).items() >= dict(GOLD).items()
        return {"Same": namespace == api.spec.key[0], "All": True, "Selector": selected}[api.spec.consumers]

    def _consider_client(self, client: Client) -> None:
        """The desired status in force, grace periods, first secrets, what is observed (rules 3, 4, 8, 9)."""
        if self._held_back(client, self.active_names(client)):
            client.desired = self._meanwhile(client)
        else:
            client.desired = client.spec.desired
        client.considered = client.generation
        if client.retired is not None and self.now >= client.retired + GRACE and not client.destroyed:
            client.destroyed, client.secret, client.life = True, None, client.life + 1
        if client.desired == "Retired":
            client.retired = client.retired or self.now
        else:
            client.retired, client.destroyed = None, False
            client.secret = client.secret or self.now
        client.observed = self._observe(client)

    def _held_back(self, client: Client, active: set[str]) -> bool:
        """A retirement has to name every active contract (rule 9)."""
        asked = client.spec.desired == "Retired" and client.desired != "Retired"
        return asked and not active <= set(client.spec.acknowledged)

    def _meanwhile(self, client: Client) -> str:
        """The desired before a retirement that is held; refused, if one came in between that nobody saw (rule 16)."""
        missed = client.generation - client.considered > 1
        return "Suspended" if missed or client.desired is None else client.desired

    def _observe(self, client: Client) -> str:
        if client.desired == "Retired":
            return "Retired"
        if client.desired == "Suspended" or self.holding(client):
            return "Suspended"
        return "Expired" if self.expired(client) else "Available"

    def expired(self, client: Client) -> bool:
        born = client.secret
        return client.spec.key in MANUAL and born is not None and self.now >= born + MANUAL_LIFETIME

    def holding(self, client: Client) -> list[str]:
        """The names of the holds that stop a client now."""
        return sorted(hold.spec.key[1] for hold in self.holds.values() if self._holds(hold, client))

    def _holds(self, hold: Hold, client: Client) -> bool:
        name = hold.spec.client
        chosen = client.spec.labels == GOLD if name is None else client.spec.key[1] == name
        chosen = chosen or hold.spec.everybody
        return self._in_force(hold) and chosen and hold.spec.key[0] == client.spec.key[0]

    def _in_force(self, hold: Hold) -> bool:
        ends = hold.spec.seconds
        return ends is None or self.now < hold.placed + timedelta(seconds=ends)

    def not_obeyed(self, one: Client | Hold) -> bool:
        """Whether a gate lives that does not know what this says (rule 33)."""
        says = one.spec.revoked if isinstance(one, Client) else one.spec.everybody and self._in_force(one)
        return self.old_gate and says

    def stopped_by(self, hold: NamespacedName, client: Client) -> bool:
        return self._holds(self.holds[hold], client)

    def standing_of(self, approval: Approval) -> str:
        """What an approval says of itself."""
        contract = self.contracts.get(approval.spec.contract)
        if contract is None or contract.spec.api[0] != approval.spec.key[0]:
            return "ContractNotFound"
        if approval.bound != contract.number or not self.speaks(approval, contract, approval.spec.plan):
            return "Mismatch"
        outvoted = approval.spec.decision == "Approved" and self.said(contract, approval.spec.plan) == "Rejected"
        return "Outvoted" if outvoted else "Counted"

    def active_names(self, client: Client) -> set[str]:
        """The contracts of a client that status says are in force."""
        mine = (c for c in self.contracts.values() if (c.spec.key[0], c.spec.client) == client.spec.key)
        return {c.spec.key[1] for c in mine if c.status == "Active"}

    # What a gate must answer: it denies on spec, and allows on spec and on what the operator agreed to (rule 16).

    def may_use_tokens(self, client: Client) -> bool:
        desired = client.spec.desired
        if self._held_back(client, self._seen_active(client)):
            desired = self._meanwhile(client)
        return desired == "Available" and not self.holding(client) and client.observed in ("Available", "Expired")

    def may_log_in(self, client: Client) -> bool:
        return self.may_use_tokens(client) and client.observed == "Available" and not self.expired(client)

    def token(self, client: Client) -> Token:
        return Token(client.number, client.life, self.now)

    def accepts(self, token: Token) -> bool:
        client = next((c for c in self.clients.values() if c.number == token.client), None)
        if client is None or client.life != token.life:
            return False
        return self.now < token.issued + TOKEN_LIFETIME and self.may_use_tokens(client)

    def answer(self, client: Client, api_key: NamespacedName) -> str:
        """What a call with a good token gets: the plan, or 403 or 410."""
        api = self.apis.get(api_key)
        if api is None:
            return "403"
        deals = [c for c in self.contracts.values() if self.granted_here(c, client, api)]
        if not deals:
            return "403"
        if self._api_is_retired(api_key, api):
            return "410"
        for contract in deals:
            if contract.status == "Active" and contract.granted is not None:
                stands = self._stands(contract, api, contract.granted)
                return contract.granted.plan if stands else "403"
        return "403"

    def granted_here(self, contract: Contract, client: Client, api: Api) -> bool:
        granted = contract.granted
        return (
            granted is not None
            and (granted.client, granted.api) == ((client.spec.key[1], client.number), (api.spec.key, api.number))
            and self._as_granted(contract)
        )

    def _as_granted(self, contract: Contract) -> bool:
        """Whether a contract still asks for what it was granted."""
        granted, asked = contract.granted, contract.spec
        return granted is not None and (granted.client[0], granted.api[0]) == (asked.client, asked.api)

    def _seen_active(self, client: Client) -> set[str]:
        """The contracts in force by spec and status together."""
        mine = (c for c in self.contracts.values() if c.granted and c.granted.client[1] == client.number)
        return {c.spec.key[1] for c in mine if c.status == "Active" and self._as_granted(c)}

    def _api_is_retired(self, key: NamespacedName, api: Api) -> bool:
        if api.desired == "Retired":
            return True
        active = sum(
            c.status == "Active" and c.spec.api == key and self._as_granted(c) for c in self.contracts.values()
        )
        return api.spec.desired == "Retired" and api.spec.acknowledged >= active
