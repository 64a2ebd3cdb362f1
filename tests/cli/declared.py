"""What the tests of the plugin declare beside clients."""

import json

from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Team


def declare_api(team: Team, name: str, *plans: JsonObject) -> None:
    """An Api in the team's namespace."""
    spec = {"desiredStatus": "Published", "plans": list(plans) or [{"name": "basic"}]}
    team.kubectl("apply", "-f", "-", input=json.dumps(manifest("Api", team, name, spec)))


def declare_contract(team: Team, name: str, client: str, api: str, plan: str = "basic", status: str = "Active") -> None:
    """A contract, and wait until it is observed so."""
    spec = {"clientName": client, "api": {"namespace": team.namespace, "name": api}, "plan": plan}
    team.kubectl("apply", "-f", "-", input=json.dumps(manifest("Contract", team, name, spec)))
    team.kubectl("wait", f"contract/{name}", f"--for=jsonpath={{.status.observedStatus}}={status}", "--timeout=60s")


def manifest(kind: str, team: Team, name: str, spec: JsonObject) -> JsonObject:
    """A manifest."""
    meta = {"name": name, "namespace": team.namespace}
    return {"apiVersion": "apiclients.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def holds_in(team: Team) -> list[JsonObject]:
    """The holds of the team's namespace, with their managed fields."""
    words = ("get", "apiclientholds", "-o", "json", "--show-managed-fields")
    items: list[JsonObject] = json.loads(team.kubectl(*words))["items"]
    return items
