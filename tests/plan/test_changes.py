"""What plan says of each kind of change, with the operator's own decisions behind it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from apiclients.plan.core import plan
from apiclients.plan.live import Workload, live_state
from apiclients.plan.model import ChangeKind, Plan, Severity
from apiclients.resources.fields import format_time
from apiclients.resources.plan_rules import RENAMED
from tests.plan.support import (
    NOW,
    JsonObject,
    Scene,
    acknowledging,
    api,
    approval,
    client,
    contract,
    entry,
    hold,
    live_through,
    planned,
    read,
    rules,
    tree,
)
from tests.toolkit.issuer import ForeignIssuer

WEB = Workload("Deployment", "team-a", "web", ("billing-credentials",))


def change(*base: JsonObject, to: tuple[JsonObject, ...], **more: object) -> Plan:
    return Scene(base, to, **more).plan()  # type: ignore[arg-type]


def test_nothing_changes_without_a_change() -> None:
    made = change(api(), client(), contract(), to=(api(), client(), contract()))
    assert not made.entries
    assert not made.findings


def test_a_suspension_is_reversible_and_pauses_contracts() -> None:
    made = change(api(), client(), contract(), to=(api(), client(status="Suspended"), contract()))
    found = entry(made, "billing")
    assert (found.change, found.severity, found.before, found.after) == (
        ChangeKind.SUSPEND,
        Severity.REVERSIBLE,
        "Available",
        "Suspended",
    )
    assert found.paused == ("billing-orders",)
    assert found.tokens is None
    assert found.contracts_ended == ()


def test_who_stops_a_client_reads_when_it_was_last_used() -> None:
    used = NOW - timedelta(hours=2)
    (stored,) = Scene((client(),), ()).live.objects.values()
    status = {**stored["status"], "lastUsedTime": format_time(used)}
    live = live_state([{**stored, "status": status}], source="test", taken_time=NOW)
    for head, known in (
        ((client(status="Suspended"),), used),
        ((client(status="Retired"),), used),
        ((), used),
        ((client(owner="team-b"),), None),
    ):
        base, after = read(tree("base", client()), tree("head", *head))
        found = entry(plan(base, after, live, NOW), "billing")
        assert found.last_used == known, head


def labelled(made: JsonObject) -> JsonObject:
    return {**made, "metadata": {**made["metadata"], "labels": {"tier": "one"}}}


@pytest.mark.parametrize(
    ("head", "known"),
    [
        ((client(), api()), True),  # the contract goes
        ((client(), api(), contract(under="manual")), True),
        ((client(), api(), contract(under="absent")), True),
        ((client(), api(), contract()), False),
        ((client(), api(), labelled(contract())), False),
    ],
)
def test_who_ends_a_contract_or_changes_its_plan_reads_when_it_was_last_used(
    head: tuple[JsonObject, ...], known: bool
) -> None:
    found = [one for one in used_contract(*head).entries if one.object.name == "billing-orders"]
    assert [one.last_used for one in found] in ([USED] if known else [], [] if known else [None])


def test_who_ends_contracts_with_a_client_or_an_api_reads_it_of_each() -> None:
    for head in (
        (client(status="Retired", retirement={"acknowledgedContracts": ["billing-orders"]}), api(), contract()),
        (client(), api(status="Retired", retirement={"acknowledgedContractCount": 1}), contract()),
    ):
        ended = [effect for one in used_contract(*head).entries for effect in one.contracts_ended]
        assert [(effect.object.name, effect.last_used) for effect in ended] == [("billing-orders", USED)]


USED = NOW - timedelta(hours=2)


def used_contract(*head: JsonObject) -> Plan:
    """What becomes of a contract that was used."""
    before = (client(), api(), contract())
    live = [dict(obj) for obj in Scene(before, ()).live.objects.values()]
    for obj in live:
        if obj["kind"] == "Contract":
            obj["status"] = {**obj["status"], "lastUsedTime": format_time(USED)}
    base, after = read(tree("base", *before), tree("head", *head))
    return plan(base, after, live_state(live, source="test", taken_time=NOW), NOW)


def test_keys_that_come_and_go() -> None:
    issuer = ForeignIssuer(first="ES256", second="ES256")

    def with_keys(*kids: str, status: str = "Available") -> JsonObject:
        keys = {"jwks": json.dumps({"keys": [issuer.jwk(kid) for kid in kids]})}
        return client(status=status, secret={"issue": False}, keys=keys)

    def told(before: JsonObject, after: JsonObject) -> tuple[tuple[ChangeKind, ...], Severity]:
        found = entry(change(before, to=(after,)), "billing")
        return found.changes, found.severity

    first, both = with_keys("first"), with_keys("first", "second")
    assert told(first, both) == ((ChangeKind.KEY_GAINED,), Severity.REVERSIBLE)
    assert told(both, first) == ((ChangeKind.KEY_LOST,), Severity.DISRUPTIVE)
    assert told(first, with_keys("second")) == ((ChangeKind.KEY_GAINED, ChangeKind.KEY_LOST), Severity.DISRUPTIVE)
    assert ChangeKind.KEY_LOST not in told(first, client(status="Retired"))[0]


def test_a_resumption() -> None:
    found = entry(change(client(status="Suspended"), to=(client(),)), "billing")
    assert (found.change, found.before, found.after) == (ChangeKind.RESUME, "Suspended", "Available")


@pytest.mark.rule(9)
def test_an_unacknowledged_retirement_waits_and_says_what_to_paste() -> None:
    base = (api(), api("payments"), client(), contract(), contract("billing-payments", to="payments"))
    retired = client(status="Retired", **acknowledging("billing-orders", "ended-long-ago"))
    made = change(*base, to=(api(), api("payments"), retired, *base[3:]))
    found = entry(made, "billing")
    assert found.blocked
    assert found.unacknowledged
    assert (found.severity, found.after) == (Severity.IRREVERSIBLE, "Available")
    known = found.acknowledgement
    assert known is not None
    assert (known.missing, known.given_count, known.needed_count) == (("billing-payments",), 1, 2)
    assert known.stale == ("ended-long-ago",)
    assert known.paste == (
        "spec:\n  retirement:\n    acknowledgedContracts:\n    - billing-orders\n    - billing-payments\n"
    )
    assert "APIC001" in rules(made)
    assert found.tokens is None
    assert found.secrets == ()


@pytest.mark.rule(8, 9)
def test_an_acknowledged_retirement_tells_all_that_goes() -> None:
    base = (api(), client(), contract())
    retired = client(status="Retired", **acknowledging("billing-orders"))
    found = entry(change(*base, to=(api(), retired, contract()), workloads=(WEB,)), "billing")
    assert (found.blocked, found.unacknowledged, found.after) == (False, False, "Retired")
    assert [(e.object.name, e.reason) for e in found.contracts_ended] == [("billing-orders", "ClientRetired")]
    assert found.tokens is not None
    assert found.tokens.at_most == timedelta(hours=12)
    assert found.tokens.final_time == NOW + timedelta(hours=24)
    (loss,) = found.secrets
    assert (loss.name, loss.when, loss.workloads) == (
        "billing-credentials",
        NOW + timedelta(hours=24),
        ("Deployment team-a/web",),
    )


def test_acknowledging_later_lets_the_retirement_through() -> None:
    held = (api(), client(status="Retired"), contract())
    live = live_through((api(), client(), contract()), held)
    made = planned(held, (api(), client(status="Retired", **acknowledging("billing-orders")), contract()), live)
    found = entry(made, "billing")
    assert (found.change, found.blocked, found.before, found.after) == (
        ChangeKind.RETIRE,
        False,
        "Available",
        "Retired",
    )
    assert found.acknowledgement is not None
    assert (found.acknowledgement.given_count, found.acknowledgement.complete) == (1, True)


def test_a_retirement_in_the_same_change_as_its_contracts_end_needs_no_acknowledgement() -> None:
    found = entry(change(api(), client(), contract(), to=(api(), client(status="Retired"))), "billing")
    assert not found.blocked
    assert found.acknowledgement is not None
    assert found.acknowledgement.needed_count == 0


def test_dropping_the_last_contract_lets_a_held_retirement_through() -> None:
    """A change that does not touch the client retires it."""
    held = (api(), client(status="Retired"), contract())
    live = live_through((api(), client(), contract()), held)
    made = planned(held, held[:2], live)
    found = entry(made, "billing")
    assert (found.change, found.severity, found.declared) == (ChangeKind.RETIRE, Severity.IRREVERSIBLE, False)
    assert [str(name) for name in found.because] == ["Contract team-a/billing-orders"]
    assert entry(made, "billing-orders", "Contract").severity is Severity.IRREVERSIBLE


def test_deleting_a_client() -> None:
    found = entry(change(client(), to=(), workloads=(WEB,)), "billing")
    assert (found.change, found.severity, found.after) == (ChangeKind.DELETE, Severity.IRREVERSIBLE, None)
    assert found.secrets[0].when is None
    assert found.tokens is not None
    assert found.tokens.final_time == NOW


@pytest.mark.rule(27)
def test_deleting_a_client_with_active_contracts_is_refused_by_the_cluster() -> None:
    made = change(api(), client(), contract(), to=(api(), contract()))
    found = entry(made, "billing")
    assert (found.blocked, found.unacknowledged, found.after) == (True, True, "Available")
    assert "APIC001" in rules(made)


def test_deleting_a_client_together_with_its_contracts_goes_through() -> None:
    made = change(api(), client(), contract(), to=(api(),))
    found = entry(made, "billing")
    assert (found.blocked, found.after) == (False, None)
    assert [effect.object.name for effect in found.contracts_ended] == ["billing-orders"]


def test_a_rename_is_loud_and_tells_what_the_old_one_loses() -> None:
    made = change(client("billing", owner="x@example.com"), to=(client("billing-new", owner="x@example.com"),))
    found = entry(made, "billing-new")
    assert (found.change, found.severity) == (ChangeKind.RENAME, Severity.IRREVERSIBLE)
    assert found.renamed_from is not None
    assert found.renamed_from.name == "billing"
    assert found.tokens is not None
    assert [loss.name for loss in found.secrets] == ["billing-credentials"]
    assert "APIC015" in rules(made)
    assert len(made.entries) == 1


def test_a_moved_namespace_is_a_rename() -> None:
    made = change(client(), to=(client(namespace="team-b"),))
    assert entry(made, "billing").change is ChangeKind.RENAME


def test_a_new_version_is_no_rename() -> None:
    old, new = client("billing-1.0", version="1.0", client="billing"), client("billing-2.0", version="2.0")
    made = change(old, to=(new,))
    assert {found.change for found in made.entries} == {ChangeKind.CREATE, ChangeKind.DELETE}


@pytest.mark.rule(5)
@pytest.mark.parametrize(("overlap", "severity"), [("24h", Severity.REVERSIBLE), ("0s", Severity.DISRUPTIVE)])
def test_a_rotation(overlap: str, severity: Severity) -> None:
    old = client(secret={"overlap": overlap})
    new = client(secret={"overlap": overlap, "revision": 2})
    found = entry(change(old, to=(new,)), "billing")
    assert (found.change, found.severity) == (ChangeKind.ROTATE, severity)
    assert found.tokens is None


def test_another_secret_name_is_disruptive_and_tells_who_mounts_the_old_one() -> None:
    found = entry(change(client(), to=(client(secret={"name": "other"}),), workloads=(WEB,)), "billing")
    assert (found.severity, found.changes) == (Severity.DISRUPTIVE, (ChangeKind.ROTATE,))
    (loss,) = found.secrets
    assert (loss.name, loss.when, loss.workloads) == (
        "billing-credentials",
        NOW + timedelta(hours=24),
        ("Deployment team-a/web",),
    )


@pytest.mark.rule(1)
def test_a_shorter_token_life_cuts_tokens() -> None:
    found = entry(change(client(), to=(client(tokens={"lifetime": "1h"}),)), "billing")
    assert found.tokens is not None
    assert found.tokens.at_most == timedelta(hours=11)
    assert found.severity is Severity.DISRUPTIVE


@pytest.mark.rule(10)
def test_not_before_kills_tokens() -> None:
    found = entry(change(client(), to=(client(tokens={"notBefore": "2026-03-01T10:00:00Z"}),)), "billing")
    # The client was registered this very second, so no token is older than a second.
    assert found.tokens is None or found.tokens.at_most <= timedelta(hours=12)


def test_describing_a_client_is_without_effect() -> None:
    found = entry(change(client(), to=(client(description="Monthly invoices"),)), "billing")
    assert (found.change, found.severity) == (ChangeKind.UPDATE, Severity.NONE)
    assert [field.path for field in found.fields] == ["spec.description"]


@pytest.mark.rule(12, 14)
def test_a_removed_contract_is_disruptive() -> None:
    made = change(api(), client(), contract(), to=(api(), client()))
    found = entry(made, "billing-orders", "Contract")
    assert (found.change, found.severity) == (ChangeKind.DELETE, Severity.DISRUPTIVE)
    assert ChangeKind.CONTRACT_ENDED in found.changes
    assert len(made.entries) == 1


def test_a_contract_under_a_manual_plan_needs_approval() -> None:
    made = change(api(), client(), to=(api(), client(), contract(under="manual")))
    found = entry(made, "billing-orders", "Contract")
    assert (set(found.changes), found.after) == ({ChangeKind.CREATE, ChangeKind.APPROVAL_NEEDED}, "PendingApproval")


@pytest.mark.parametrize("before", [(), (contract(),)], ids=["new", "changed"])
def test_an_approval_that_nearly_matches_is_named(before: tuple[JsonObject, ...]) -> None:
    head = (api(), client(), contract(under="manual"), approval("typo", by="bill"), approval("other", "another"))
    found = entry(change(api(), client(), *before, to=head), "billing-orders", "Contract")
    assert "ContractApproval shop/typo does not count for it: it says client bill, and not billing." in found.notes
    assert sum("does not count" in note for note in found.notes) == 2, "and the one of another contract's name"


def test_a_changed_plan_that_needs_approval_keeps_the_earlier_one() -> None:
    made = change(api(), client(), contract(), to=(api(), client(), contract(under="manual")))
    found = entry(made, "billing-orders", "Contract")
    assert (found.change, found.after) == (ChangeKind.APPROVAL_NEEDED, "Active")
    assert any("gold is in force" in note for note in found.notes)


def test_an_approval_starts_a_contract() -> None:
    base = (api(), client(), contract(under="manual"))
    made = change(*base, to=(*base, approval()))
    found = entry(made, "yes", "ContractApproval")
    assert [(e.object.name, e.change) for e in found.effects] == [("billing-orders", ChangeKind.CONTRACT_STARTED)]


@pytest.mark.rule(14)
def test_a_removed_approval_ends_a_contract() -> None:
    base = (api(), client(), contract(under="manual"), approval())
    found = entry(change(*base, to=base[:3]), "yes", "ContractApproval")
    assert (found.severity, len(found.contracts_ended)) == (Severity.DISRUPTIVE, 1)


@pytest.mark.rule(13)
def test_retiring_an_api_ends_contracts_of_other_namespaces() -> None:
    others = (client(namespace="team-z"), contract(namespace="team-z"))
    retired = api(status="Retired", retirement={"acknowledgedContractCount": 1})
    found = entry(Scene((api(),), (retired,), elsewhere=others).plan(), "orders", "Api")
    assert (found.change, found.severity, found.blocked) == (ChangeKind.RETIRE, Severity.IRREVERSIBLE, False)
    assert [(e.object.namespace, e.reason) for e in found.contracts_ended] == [("team-z", "ApiRetired")]


@pytest.mark.rule(9)
def test_retiring_an_api_needs_the_count() -> None:
    others = (client(namespace="team-z"), contract(namespace="team-z"))
    found = entry(Scene((api(),), (api(status="Retired"),), elsewhere=others).plan(), "orders", "Api")
    assert found.unacknowledged
    assert found.acknowledgement is not None
    assert found.acknowledgement.paste == "spec:\n  retirement:\n    acknowledgedContractCount: 1\n"


def test_a_lost_plan_ends_its_contracts() -> None:
    made = change(
        api(), client(), contract(), to=(api(plans=[{"name": "manual", "approval": "Manual"}]), client(), contract())
    )
    found = entry(made, "orders", "Api")
    assert [e.reason for e in found.contracts_ended] == ["PlanNotFound"]
    assert found.severity is Severity.DISRUPTIVE


def test_lost_scopes_are_disruptive() -> None:
    wide, narrow = (
        api(plans=[{"name": "gold", "scopes": ["read", "write"]}]),
        api(plans=[{"name": "gold", "scopes": ["read"]}]),
    )
    found = entry(change(wide, client(), contract(), to=(narrow, client(), contract())), "orders", "Api")
    assert found.severity is Severity.DISRUPTIVE
    assert any("write" in note for note in found.notes)


def test_closing_an_api_ends_contracts_of_others() -> None:
    made = change(api(), client(), contract(), to=(api(consumers={"from": "Same"}), client(), contract()))
    assert [e.reason for e in entry(made, "orders", "Api").contracts_ended] == ["ApiNotFound"]


def test_a_hold_in_git_holds_and_its_removal_releases() -> None:
    placed = entry(change(client(), to=(client(), hold())), "stop", "ApiClientHold")
    assert [(e.change, e.after) for e in placed.effects] == [(ChangeKind.HELD, "Suspended (held)")]
    lifted = entry(change(client(), hold(), to=(client(),)), "stop", "ApiClientHold")
    assert [e.change for e in lifted.effects] == [ChangeKind.RELEASED]


def test_a_live_hold_is_told() -> None:
    made = Scene((client(status="Suspended"),), (client(),), elsewhere=(hold(),)).plan()
    found = entry(made, "billing")
    assert [(h.name, h.in_git) for h in found.holds] == [("stop", False)]
    assert "APIC021" in rules(made)


def test_what_depends_on_the_order_is_told() -> None:
    """A rotation and a hold at once: whichever the operator sees first."""
    made = change(client(), to=(client(secret={"revision": 2}), hold()))
    assert "APIC025" in rules(made)


def test_a_client_of_a_shared_secret_name_is_told() -> None:
    made = change(
        client("a", secret={"name": "same"}),
        to=(client("a", secret={"name": "same"}), client("b", secret={"name": "same"})),
    )
    assert "APIC013" in rules(made)
    assert entry(made, "b").after == "Pending"


def test_an_expiring_hold_holds_no_longer_than_its_time() -> None:
    made = change(client(), to=(client(), hold(expiresTime="2026-02-01T00:00:00Z")))
    assert entry(made, "stop", "ApiClientHold").effects == ()


def test_a_renamed_contract_that_waits_for_approval_is_reported_as_a_rename() -> None:
    base, head = (contract(name, under="manual") for name in ("billing-orders", "billing-orders-2"))
    renamed = Scene((api(), client(), base), (api(), client(), head))
    found = [one for one in renamed.plan().findings if one.rule == RENAMED.id]
    assert [str(one.object) for one in found] == ["Contract team-a/billing-orders-2"]
    assert found[0].message.endswith("approvals of the old one do not count for it.")
