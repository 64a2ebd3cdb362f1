"""Random manifests and random changes of them: what teams and providers do in pull requests, wise or not."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.plan.support import JsonObject, api, approval, client, contract, hold

CLIENTS = ("billing", "reports", "batch")
APIS = ("orders", "payments")


@dataclass
class Repository:
    """The manifests of one team and its provider. Objects are named by kind and name; namespaces are its own."""

    rng: random.Random
    team: str
    shop: str
    objects: dict[tuple[str, str], JsonObject] = field(default_factory=dict)
    _number: int = 0

    def fill(self) -> Repository:
        """Something to start from: clients, Apis, contracts, an approval."""
        for name in CLIENTS[: self.rng.randint(2, 3)]:
            self.put(client(name, self.rng.choice(["Available"] * 4 + ["Suspended"]), namespace=self.team))
        for name in APIS:
            self.put(api(name, namespace=self.shop))
        for name in self.names("ApiClient"):
            for to in APIS:
                if self.rng.random() < 0.7:
                    self._contract(f"{name}-{to}", name, to)
        for name in self.names("Contract"):
            spec = self.objects["Contract", name]["spec"]
            if spec["plan"] == "manual" and self.rng.random() < 0.6:
                self._approve(name, self.rng.choice(["Approved", "Approved", "Rejected"]))
        return self

    def changed(self, count: int) -> Repository:
        """Another state of it, some changes later."""
        other = Repository(self.rng, self.team, self.shop, copy.deepcopy(self.objects), self._number)
        for _ in range(count):
            self.rng.choice(CHANGES)(other)
        return other

    def all(self) -> tuple[JsonObject, ...]:
        """Its manifests."""
        return tuple(self.objects[key] for key in sorted(self.objects))

    def put(self, obj: JsonObject) -> None:
        """Add or replace an object."""
        self.objects[obj["kind"], obj["metadata"]["name"]] = obj

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind."""
        return sorted(name for found, name in self.objects if found == kind)

    def pick(self, kind: str) -> JsonObject | None:
        """Any object of a kind."""
        names = self.names(kind)
        return self.objects[kind, self.rng.choice(names)] if names else None

    def drop(self, kind: str) -> None:
        """Delete any object of a kind."""
        names = self.names(kind)
        if names:
            del self.objects[kind, self.rng.choice(names)]

    def fresh(self, word: str) -> str:
        """A name that was never used."""
        self._number += 1
        return f"{word}-{self._number}"

    def contracts_of(self, name: str) -> list[str]:
        """The contracts that name a client."""
        return [one for one in self.names("Contract") if self.objects["Contract", one]["spec"]["clientName"] == name]

    def _contract(self, name: str, of: str, to: str) -> None:
        under = self.rng.choice(["gold", "gold", "manual"])
        self.put(contract(name, of, to, under, namespace=self.team, provider=self.shop))

    def _approve(self, name: str, decision: str) -> None:
        spec = self.objects["Contract", name]["spec"]
        self.put(
            approval(
                self.fresh("approval"),
                name,
                decision,
                by=spec["clientName"],
                to=spec["api"]["name"],
                under=spec["plan"],
                namespace=self.shop,
                consumer=self.team,
            )
        )


ChangeKind = Callable[[Repository], None]


def _desire(status: str) -> ChangeKind:
    def change(repository: Repository) -> None:
        if found := repository.pick("ApiClient"):
            found["spec"]["desiredStatus"] = status

    return change


def _retire(repository: Repository) -> None:
    if found := repository.pick("ApiClient"):
        contracts = repository.contracts_of(found["metadata"]["name"])
        known = contracts if repository.rng.random() < 0.6 else contracts[:1]
        grace = repository.rng.choice(["0s", "24h"])
        found["spec"] |= {
            "desiredStatus": "Retired",
            "retirement": {"acknowledgedContracts": known, "gracePeriod": grace},
        }


def _retire_api(repository: Repository) -> None:
    if found := repository.pick("Api"):
        count = repository.rng.choice([0, 1, 9])
        found["spec"] |= {
            "desiredStatus": "Retired",
            "retirement": {"acknowledgedContractCount": count, "gracePeriod": "24h"},
        }


def _publish(repository: Repository) -> None:
    if found := repository.pick("Api"):
        found["spec"]["desiredStatus"] = "Published"


def _close(repository: Repository) -> None:
    if found := repository.pick("Api"):
        found["spec"]["consumers"] = {"from": repository.rng.choice(["Same", "All"])}


def _plans(repository: Repository) -> None:
    if found := repository.pick("Api"):
        gold = {"name": "gold", "approval": repository.rng.choice(["Manual", "Automatic"])}
        found["spec"]["plans"] = repository.rng.choice([[gold], [gold, {"name": "manual", "approval": "Manual"}]])


def _replan(repository: Repository) -> None:
    if found := repository.pick("Contract"):
        found["spec"]["plan"] = repository.rng.choice(["gold", "manual", "platinum"])


def _another_contract(repository: Repository) -> None:
    if found := repository.pick("ApiClient"):
        to = repository.rng.choice(APIS)
        taken = [c for c in repository.contracts_of(found["metadata"]["name"]) if c.startswith("new")]
        if not taken:  # two of the same second: which one counts nobody can foretell
            repository._contract(repository.fresh("new"), found["metadata"]["name"], to)


def _another_client(repository: Repository) -> None:
    repository.put(client(repository.fresh("client"), namespace=repository.team))


def _approve(repository: Repository) -> None:
    names = repository.names("Contract")
    if names:
        repository._approve(repository.rng.choice(names), repository.rng.choice(["Approved", "Approved", "Rejected"]))


def _reword(repository: Repository) -> None:
    if found := repository.pick("ContractApproval"):
        found["spec"]["reason"] = repository.fresh("reason")


def _hold(repository: Repository) -> None:
    if found := repository.pick("ApiClient"):
        name = found["metadata"]["name"]
        if repository.rng.random() < 0.7:
            repository.put(hold(repository.fresh("hold"), name, namespace=repository.team))
        else:
            found["metadata"]["labels"] = {"tier": "test"}
            selector = {"matchLabels": {"tier": "test"}}
            repository.put(hold(repository.fresh("hold"), None, namespace=repository.team, selector=selector))


def _secret(repository: Repository) -> None:
    if found := repository.pick("ApiClient"):
        secret = found["spec"].setdefault("secret", {})
        kind = repository.rng.choice(["revision", "name", "overlap", "template", "request", "bad"])
        if kind == "revision":
            secret["revision"] = secret.get("revision", 1) + 1
        elif kind == "name":
            secret["name"] = repository.fresh("secret")
        elif kind == "overlap":
            secret["overlap"] = repository.rng.choice(["0s", "1h"])
        elif kind == "template":
            secret["template"] = {"labels": {"tier": repository.fresh("gold")}}
        elif kind == "request":
            found["metadata"]["annotations"] = {"apiclients.dev/rotate-requested": repository.fresh("token")}
        else:
            secret["overlap"] = "9000h"


def _tokens(repository: Repository) -> None:
    if found := repository.pick("ApiClient"):
        found["spec"]["tokens"] = repository.rng.choice(
            [{"lifetime": "1h"}, {"notBefore": "2026-01-01T00:00:00Z"}, {"notBefore": "2051-01-01T00:00:00Z"}, {}]
        )


def _drop(kind: str) -> ChangeKind:
    return lambda repository: repository.drop(kind)


#: What a pull request may hold; what happens often stands more than once.
CHANGES: tuple[ChangeKind, ...] = (
    _desire("Available"), _desire("Available"), _desire("Suspended"), _desire("Suspended"), _retire, _retire, _retire,
    _retire_api, _retire_api, _publish, _close, _plans, _replan, _replan, _another_contract, _another_client, _approve,
    _approve, _reword, _hold, _hold, _secret, _secret, _tokens, _drop("ApiClient"), _drop("Contract"),
    _drop("Contract"), _drop("Api"), _drop("ContractApproval"), _drop("ApiClientHold"),
)  # fmt: skip
