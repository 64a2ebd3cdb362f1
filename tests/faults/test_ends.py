"""Everything is gone at once, or fought over: namespaces, CRDs, Secrets, objects of the largest size."""

import base64
import threading
from collections import Counter

import pytest

from apiclients.resources.apiclient import MAX_CONTRACTS
from demo.stage import ROOT
from tests.faults.arena import MAX_STALENESS, RELIST_BOUND, Arena, Team, metric
from tests.toolkit.objects import KINDS, JsonObject
from tests.toolkit.waiting import PATIENCE, eventually

pytestmark = pytest.mark.cluster


@pytest.mark.rule(11, 14, 22)
def test_namespace_deleted_with_everything_in_it(arena: Arena, team: Team, shop: Team) -> None:
    path = team.contracted(shop)
    team.declare("other")
    team.hold("stop", "other")
    team.observed("other", "Suspended")
    token = team.token("billing")
    with arena.promise("client of a namespace that went", token) as client, arena.promise("call", token, path) as call:
        with client.ends(within=RELIST_BOUND), call.ends(within=RELIST_BOUND):
            arena.cluster.kubectl("delete", "namespace", team.namespace, f"--timeout={PATIENCE:.0f}s")
        arena.until(401, token)
        arena.admin.apply_namespace(team.namespace, {})
        team.declare("billing")
        arena.until(200, team.token("billing"))
        client.refuse()
    assert arena.verdicts(token) == {401}, "another client of the same name"


@pytest.mark.rule(12)
@pytest.mark.rule(14)
def test_namespace_of_the_api_deleted_leaves_the_client_alone(arena: Arena, team: Team, shop: Team) -> None:
    path = team.contracted(shop)
    token = team.token("billing")
    with arena.promise("client", token) as client, arena.promise("call", token, path) as call:
        with call.ends(within=RELIST_BOUND):
            arena.cluster.kubectl("delete", "namespace", shop.namespace, f"--timeout={PATIENCE:.0f}s")
        arena.until(403, token, path)
        assert client.seen[200]
    assert team.observed("billing", "Available")


@pytest.mark.rule(11)
def test_crds_deleted_and_put_back_make_new_clients(arena: Arena, team: Team) -> None:
    team.declare("billing")
    uid = team.observed("billing", "Available")["metadata"]["uid"]
    secret = team.credentials("billing")
    with arena.promise("client whose kind was deleted", team.token("billing")) as promise:
        crds = [f"{plural}.apiclients.dev" for plural in KINDS]
        arena.cluster.kubectl("annotate", "crd", *crds, "apiclients.dev/deletion=allowed")
        with promise.ends(within=RELIST_BOUND):
            arena.cluster.kubectl("delete", "crd", *crds, f"--timeout={PATIENCE:.0f}s", timeout=2 * PATIENCE)
        eventually("refused or 503", lambda: arena.verdicts(promise.token) <= {401, 503})
        arena.cluster.kubectl("apply", "-k", str(ROOT / "manifests" / "control"), timeout=PATIENCE)
        for crd in crds:
            arena.cluster.kubectl("wait", "--for=condition=Established", f"crd/{crd}", "--timeout=60s")
        promise.refuse()
        eventually("the kind is served", lambda: team.admin.list("apiclients") == [])
        arena.ensure()
        again = team.declare("billing")
        assert again["metadata"]["uid"] != uid
        eventually("a new secret", lambda: team.credentials("billing") != secret)
        arena.until(200, team.token("billing"))
        arena.until(401, promise.token)
        assert {gate.ask(secret).status for gate in arena.gates} == {401}


@pytest.mark.rule(6, 7)
def test_secret_fought_over_is_a_conflict_and_the_good_ones_go_on_working(arena: Arena, team: Team) -> None:
    team.declare("billing", secret={"overlap": "1h"})
    first, token = team.credentials("billing"), team.token("billing")
    ended, edits = threading.Event(), 0

    def fight() -> None:
        nonlocal edits
        while not ended.is_set():
            value = base64.b64encode(f"mine-{edits}".encode()).decode()
            body = {"data": {"client-secret": value}}
            team.admin.patch("secrets", team.namespace, "billing-credentials", body)
            edits += 1
            ended.wait(0.02)

    def stalled() -> bool:
        found = team.admin.get("apiclients", team.namespace, "billing")["status"]["conditions"]
        return any((c["type"], c["status"], c["reason"]) == ("Stalled", "True", "SecretConflict") for c in found)

    with arena.promise("client whose Secret is fought over", token):
        other = threading.Thread(target=fight, daemon=True)
        other.start()
        try:
            eventually("conflict", stalled)
            written = secret_writes(arena)
            before = edits
            eventually("twenty more edits", lambda: edits > before + 20)
            assert secret_writes(arena) - written <= 2, "the operator does not play ping-pong"
        finally:
            ended.set()
            other.join(PATIENCE)
        assert {gate.ask(first).status for gate in arena.gates} == {200}, "the secret of before still works"
        issued = team.admin.get("apiclients", team.namespace, "billing")["status"]["lastCredentialId"]
        assert issued <= 2, "one rotation per overlap"
        team.admin.delete("secrets", team.namespace, "billing-credentials")
        eventually("peace", lambda: not stalled())
        eventually("a new secret works", lambda: arena.gates[0].ask(team.credentials("billing")).status == 200)


@pytest.mark.rule(17, 24)
def test_objects_of_the_largest_size(arena: Arena, team: Team) -> None:
    """As large as the schema and the policy about metadata let it be."""
    many = {f"key-{number}": "x" * 60 for number in range(32)}
    huge = {"annotations": {"example.com/notes": "x" * 5_000}, "labels": many}
    spec: JsonObject = {
        "displayName": "d" * 253,
        "description": "d" * 1024,
        "retirement": {"acknowledgedContracts": [f"{number:03}{'c' * 60}" for number in range(256)]},
        "secret": {"template": {"labels": many, "annotations": dict.fromkeys(many, "x" * 1024)}},
    }
    name = "n" * 63
    largest = team.client(name, **spec, metadata=huge)
    assert largest["metadata"]["annotations"]
    team.observed(name, "Available")
    with arena.promise("the largest client", team.token(name)) as promise:
        assert all(gate.service.is_ready() for gate in arena.gates)
        with promise.ends(within=MAX_STALENESS):
            team.desire(name, "Suspended")
        arena.until(401, promise.token)


@pytest.mark.rule(9, 14)
def test_a_client_with_as_many_contracts_as_there_can_be(arena: Arena, team: Team, shop: Team) -> None:
    """All arrive at once, two more than there is room for; whoever goes makes room for one."""
    team.declare("busy")
    names = [f"c-{number:03}" for number in range(MAX_CONTRACTS + 2)]
    for name in names:
        shop.api(name)
        team.contract(name, "busy", (shop.namespace, name))

    def counts() -> Counter[str]:
        found = team.admin.list("contracts", team.namespace)
        return Counter(contract.get("status", {}).get("observedStatus", "none") for contract in found)

    eventually("as many as there can be", lambda: counts() == {"Active": MAX_CONTRACTS, "Inactive": 2})
    eventually("their client has counted them", lambda: _active_names(team) is not None)
    named = _active_names(team)
    assert named is not None
    with arena.promise("client of many contracts", team.token("busy")):
        team.admin.delete("contracts", team.namespace, named[0])
        eventually("room for one", lambda: counts() == {"Active": MAX_CONTRACTS, "Inactive": 1})
        team.desire("busy", "Retired")
        eventually("a retirement that names none is held", lambda: _active_names(team, "Retired") is not None)
        assert team.admin.get("apiclients", team.namespace, "busy")["status"]["observedStatus"] == "Available"


def _active_names(team: Team, wished: str = "Available") -> list[str] | None:
    """The names of the active contracts, once this status is handled and as many as there can be are counted."""
    obj = team.admin.get("apiclients", team.namespace, "busy")
    handled = (
        obj["spec"]["desiredStatus"] == wished and obj["status"]["desiredGeneration"] == obj["metadata"]["generation"]
    )
    names: list[str] = obj["status"].get("contracts", {}).get("activeNames", [])
    return names if handled and len(names) == MAX_CONTRACTS else None


def secret_writes(arena: Arena) -> int:
    """How many writes of Secrets the operator has tried."""
    series = (
        f'apiclient_operator_api_requests_total{{code="{code}",resource="secrets",verb="{verb}"}}'
        for code in (200, 201, 403, 409, 422)
        for verb in ("apply", "create", "patch", "update", "delete")
    )
    return int(sum(metric(arena.operator, one) for one in series))
