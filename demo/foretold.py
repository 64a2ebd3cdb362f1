"""Compares what a plan foretold, in its JSON format, with what the cluster shows after the change was applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: The kinds whose status a plan tells in the words of ``status.observedStatus``.
TOLD_KINDS = ("ApiClient", "Api", "Contract")

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, order=True, slots=True)
class Name:
    """Names one object, as the plan does."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Statuses = Mapping[Name, str]


def statuses(objects: Iterable[JsonObject]) -> dict[Name, str]:
    """The status of each object, in the plan's words."""
    return {_name(obj): _words(obj.get("status") or {}) for obj in objects if obj["kind"] in TOLD_KINDS}


def foretold(plan: JsonObject, before: Statuses) -> dict[Name, str]:
    """Every status as it must be when the plan is right: what it does not name stays as it was."""
    expected = dict(before)
    for change in plan["changes"]:
        for one in (change, *change["effects"]):
            name = object_name(one["object"])
            if name.kind not in TOLD_KINDS or change["blocked"]:
                continue
            if one["after"] is None:
                expected.pop(name, None)
            else:
                expected[name] = one["after"]
    return expected


def differences(expected: Statuses, came: Statuses) -> list[str]:
    """Where the two are not the same, in words."""
    return [
        f"{name}: foretold {expected.get(name, 'gone')}, came {came.get(name, 'gone')}"
        for name in sorted(expected.keys() | came.keys())
        if expected.get(name) != came.get(name)
    ]


def stopped_contracts(plan: JsonObject) -> set[Name]:
    """The contracts that the plan says end."""
    return {
        object_name(effect["object"])
        for change in plan["changes"]
        for effect in change["effects"]
        if effect["change"] == "contract ended"
    }


def clients_losing_tokens(plan: JsonObject) -> set[Name]:
    """The clients whose tokens the plan says die for good."""
    return {object_name(change["object"]) for change in plan["changes"] if change["tokens"] is not None}


def object_name(obj: JsonObject) -> Name:
    """The name that a part of the plan is about."""
    return Name(obj["kind"], obj["namespace"], obj["name"])


def _name(obj: JsonObject) -> Name:
    return Name(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def _words(status: JsonObject) -> str:
    observed = str(status.get("observedStatus") or "Pending")
    return f"{observed} (held)" if observed == "Suspended" and status.get("holds") else observed
