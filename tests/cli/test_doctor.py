"""``doctor``: all is well where all is well, and each thing that is wrong is found, with a fix."""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from apiclients import __version__
from apiclients.cli.cluster.facts import Facts, rights, secret_rights
from apiclients.cli.cluster.unread import Cause, Unread
from apiclients.cli.screens.check import Check, CheckResult
from apiclients.cli.screens.doctor import POLICIES, differences, doctor_view
from apiclients.cli.screens.doctor_text import render_doctor
from apiclients.cli.screens.text import Style
from apiclients.kube.kinds import CONTRACTS
from apiclients.kube.objects import LEASES
from apiclients.resources.crd import CRD_KINDS, custom_resource_definition
from apiclients.resources.names import OPERATOR_LEASE
from tests.cli import samples
from tests.cli.samples import NOW, JsonObject, ago
from tests.cli.samples import gate_lease as gate
from tests.cli.test_screens import compare

SYSTEM = "apiclients-system"


NO_LEASE = Unread(Cause.FORBIDDEN, LEASES, "you may not read leases apiclient-operator", OPERATOR_LEASE)
NO_LEASES = Unread(Cause.FORBIDDEN, LEASES, "you may not list leases in apiclients-system")
NO_CONTRACTS = Unread(Cause.FORBIDDEN, CONTRACTS, "you may not list contracts")


def good() -> Facts:
    """An installation as it should be."""
    crds = {}
    for kind in CRD_KINDS:
        crd = custom_resource_definition(kind)
        crds[crd["metadata"]["name"]] = {**crd, "status": {"conditions": [{"type": "Established", "status": "True"}]}}
    client = samples.decided_client(samples.client(), (), (), ago(hours=1))
    return Facts(
        now=NOW,
        plugin_version=__version__,
        system_namespace=SYSTEM,
        clock_offset=0.2,
        namespace_there=True,
        crds=crds,
        policies={name: {"metadata": {"name": name}} for name in POLICIES},
        bindings=tuple(
            {"spec": {"policyName": name, "validationActions": ["Deny" if deny else "Warn", "Audit"]}}
            for name, deny in POLICIES.items()
        ),
        operator_lease=samples.lease(ago(seconds=1)),
        gate_leases=(gate("gate-a"), gate("gate-b")),
        clients=(client,),
        contracts=(),
        allowed={right: right.wanted for right in (*rights(SYSTEM), *secret_rights(["team-a"]))},
    )


def checks(facts: Facts, verdict: CheckResult) -> list[Check]:
    """The findings of one kind."""
    return [check for check in doctor_view(facts).checks if check.verdict is verdict]


def test_all_is_well() -> None:
    view = doctor_view(good())
    assert {check.verdict for check in view.checks} == {CheckResult.OK}
    assert not view.wrong


def without_crd(facts: Facts) -> Facts:
    crds = {name: crd for name, crd in (facts.crds or {}).items() if not name.startswith("contracts.")}
    return replace(facts, crds=crds)


def unserved_crd(facts: Facts) -> Facts:
    crds = copy.deepcopy(facts.crds or {})
    crds["apis.apiclients.dev"]["spec"]["versions"][0]["served"] = False
    return replace(facts, crds=crds)


def without_policy(facts: Facts) -> Facts:
    return replace(facts, policies={k: v for k, v in (facts.policies or {}).items() if k != "delete-apis"})


def only_warning(facts: Facts) -> Facts:
    bindings = [copy.deepcopy(one) for one in facts.bindings or ()]
    for one in bindings:
        if one["spec"]["policyName"] == "apiclients-status":
            one["spec"]["validationActions"] = ["Warn"]
    return replace(facts, bindings=tuple(bindings))


def deny(match: str) -> Callable[[Facts], Facts]:
    """Without the rights whose text contains this."""
    return lambda facts: replace(
        facts, allowed={right: yes and match not in f"{right.account} {right}" for right, yes in facts.allowed.items()}
    )


def changed_client(**parts: Any) -> Callable[[Facts], Facts]:
    """With another client, changed ten minutes ago."""

    def change(facts: Facts) -> Facts:
        raw = samples.decided_client(samples.client(**parts), (), (), ago(minutes=10))
        raw["metadata"]["managedFields"] = [{"manager": "x", "time": ago(minutes=10).isoformat()}]
        return replace(facts, clients=(raw,))

    return change


def unseen_client(facts: Facts) -> Facts:
    changed = changed_client()(facts)
    assert changed.clients
    changed.clients[0]["metadata"]["generation"] = 9
    return changed


def trying_client(facts: Facts) -> Facts:
    raw = samples.client()
    raw["status"]["conditions"] = [
        {"type": "Reconciling", "status": "True", "reason": "WriteFailed", "message": "Cannot create Secret x: 403",
         "observedGeneration": 3, "lastTransitionTime": ago(minutes=9).isoformat()}
    ]  # fmt: skip
    return replace(facts, clients=(raw,))


def troubled(problem: str) -> JsonObject:
    """The Lease of an operator that leads and is not ready."""
    lease = samples.lease(ago(seconds=1))
    lease["metadata"]["annotations"] = {"apiclients.dev/problem": problem}
    return lease


WRONG: dict[str, tuple[Callable[[Facts], Facts], str]] = {
    "no namespace": (lambda f: replace(f, namespace_there=False), "namespace apiclients-system is not there"),
    "no CRD": (without_crd, "contracts.apiclients.dev is not there"),
    "CRD not served": (unserved_crd, "apis.apiclients.dev does not serve v1alpha1"),
    "no policy": (without_policy, "policy delete-apis is not there"),
    "policy not bound": (lambda f: replace(f, bindings=()), "policy delete-apis is not bound"),
    "policy only warns": (only_warning, "policy apiclients-status is not bound"),
    "operator may not write status": (deny("update contracts/status"), "may not update contracts/status"),
    "gate may not watch holds": (deny("apiclient-gate watch apiclientholds"), "may not watch apiclientholds"),
    "no right to Secrets": (deny("create secrets"), "may not write Secrets in team-a, where clients are"),
    "no operator ever": (lambda f: replace(f, operator_lease=None), "no operator has ever led"),
    "operator gone": (lambda f: replace(f, operator_lease=samples.lease(ago(hours=2))), "renewed the Lease 120m ago"),
    "operator ended": (lambda f: replace(f, operator_lease=samples.lease(NOW, holder="")), "its Lease has no holder"),
    "operator not ready": (lambda f: replace(f, operator_lease=troubled("no keys")), "is not ready: no keys"),
    "gate without keys Secret": (
        lambda f: replace(f, gate_leases=(gate("a", problem="the keys Secret is gone"),)),
        "a is ready, but the keys Secret is gone",
    ),
    "gate says why": (
        lambda f: replace(f, gate_leases=(gate("a", ready="false", problem="no proof"),)),
        "answers 503 (no proof)",
    ),
    "no gate": (lambda f: replace(f, gate_leases=()), "no gate is alive"),
    "all gates gone": (lambda f: replace(f, gate_leases=(gate("a", renewed=60),)), "no gate is alive"),
    "gate not ready": (lambda f: replace(f, gate_leases=(gate("a", ready="false"),)), "a is not ready: it answers 503"),
    "gate without proof": (lambda f: replace(f, gate_leases=(gate("a", proved=40),)), "proved its picture 40s ago"),
    "clock of a gate": (lambda f: replace(f, gate_leases=(gate("a", renewed=-90),)), "the clock of a is 90 s ahead"),
    "client not seen": (unseen_client, "has not reconciled its latest change for 10m"),
    "client stalled": (changed_client(secret={"lifetime": "1h", "overlap": "2h"}), "stalled (InvalidSpec)"),
    "client tried for long": (trying_client, "tried for 9m (WriteFailed): Cannot create Secret x: 403"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_and_mended(name: str) -> None:
    change, words = WRONG[name]
    facts = change(good())
    found = checks(facts, CheckResult.WRONG)
    assert any(words in check.what for check in found), found
    assert all(check.fix for check in found)
    assert doctor_view(facts).wrong


def test_where_nothing_is_installed_there_is_one_thing_to_say() -> None:
    facts = replace(good(), crds={}, policies={}, bindings=(), operator_lease=None, gate_leases=(), clients=None)
    (check,) = doctor_view(facts).checks
    assert check.what == "nothing is installed: there is no CRD of apiclients.dev"
    assert doctor_view(facts).wrong


WARNING: dict[str, tuple[Callable[[Facts], Facts], str]] = {
    "CRD of another version": (
        lambda f: replace(f, crds={k: {**v, "spec": drifted(v["spec"])} for k, v in (f.crds or {}).items()}),
        "differs from version",
    ),
    "gate reads Secrets": (
        lambda f: replace(f, allowed=dict.fromkeys(f.allowed, True)),
        "apiclient-gate may list secrets, which it does not need",
    ),
    "dead replica": (
        lambda f: replace(f, gate_leases=(gate("a"), gate("b", renewed=60))),
        "b last renewed its Lease 60s",
    ),
    "versions": (lambda f: replace(f, gate_leases=(gate("a", version="9.9"),)), "gate a has 9.9"),
    "a gate that lists nothing": (
        lambda f: replace(f, gate_leases=(gate("a"), gate("b", obeys=""))),
        "b is too old to obey ApiClient.spec.secret.notBefore",
    ),
    "a gate that lists less": (
        lambda f: replace(f, gate_leases=(gate("a", obeys="ApiClient.spec.secret.notBefore"),)),
        "a is too old to obey ApiClientHold.spec.allClients",
    ),
    "this clock": (lambda f: replace(f, clock_offset=-70.0), "this machine's clock is 70 s behind"),
}


def drifted(spec: JsonObject) -> JsonObject:
    """A CRD's spec with one description changed."""
    spec = copy.deepcopy(spec)
    spec["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "something else"
    return spec


@pytest.mark.parametrize("name", WARNING)
def test_what_is_odd_is_a_warning(name: str) -> None:
    change, words = WARNING[name]
    view = doctor_view(change(good()))
    assert any(words in check.what for check in view.checks if check.verdict is CheckResult.WARNING), view
    assert not view.wrong


def test_what_cannot_be_read_is_neither_right_nor_wrong() -> None:
    facts = replace(
        good(), crds=None, policies=None, bindings=None, gate_leases=None, clients=None, contracts=None,
        operator_lease=None, allowed={},
        unread=(NO_LEASE, NO_LEASES),
    )  # fmt: skip
    view = doctor_view(facts)
    assert not view.wrong
    assert [check.verdict for check in view.checks] == [CheckResult.OK, CheckResult.UNKNOWN, CheckResult.UNKNOWN]


def test_many_stuck_clients_are_counted() -> None:
    stuck = changed_client(secret={"lifetime": "1h", "overlap": "2h"})(good()).clients or ()
    view = doctor_view(replace(good(), clients=stuck * 30))
    told = [check for check in view.checks if check.verdict is CheckResult.WRONG]
    assert len(told) == 11
    assert "20 more" in told[-1].what


def test_differences_name_paths() -> None:
    assert differences({"a": [1, {"b": 2}], "c": 3}, {"a": [1, {"b": 4}], "d": 5}) == ["a[1].b", "c", "d"]
    assert differences({"a": [1]}, {"a": [1, 2]}) == ["a"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen(width: int) -> None:
    facts = good()
    for name in ("no CRD", "gate not ready", "client stalled"):
        facts = WRONG[name][0](facts)
    facts = replace(facts, clock_offset=8.0, unread=(NO_CONTRACTS,))
    compare(f"doctor-{width}.txt", render_doctor(doctor_view(facts), Style(width=width)))


def test_times_are_those_of_the_facts() -> None:
    facts = replace(good(), now=NOW + timedelta(hours=1))
    assert doctor_view(facts).wrong
