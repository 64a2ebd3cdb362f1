"""Screens as text, at 80 and 120 columns. ``UPDATE_GOLDEN=1`` writes the files in ``golden`` anew: read the diff."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from apiclients.cli.cluster.gather import Around
from apiclients.cli.screens.advice import advice_for_contract
from apiclients.cli.screens.explain import explain_view
from apiclients.cli.screens.explain_text import render_explain
from apiclients.cli.screens.output import to_json
from apiclients.cli.screens.status import status_view
from apiclients.cli.screens.status_text import render_status
from apiclients.cli.screens.text import Style, visible
from apiclients.lifecycle.usage import LastUse, hour_of
from apiclients.resources.apiclient import ObservedStatus
from apiclients.resources.objects import Contract
from tests.cli import samples
from tests.cli.samples import NOW
from tests.toolkit.issuer import ForeignIssuer

GOLDEN = Path(__file__).parent / "golden"

SITUATIONS: dict[str, Callable[[], Around]] = {
    "busy": samples.busy,
    "held": samples.held,
    "suspended": samples.suspended,
    "retiring": samples.retiring,
    "unacknowledged": samples.unacknowledged,
    "expired": samples.expired,
    "conflict": samples.conflict,
    "beside-old-gate": samples.beside_old_gate,
    "overlapping": samples.overlapping,
    "fresh": samples.fresh,
    "lagging": samples.lagging,
}


def compare(name: str, text: str) -> None:
    """Compare with a golden file, or write it."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text + "\n")
    assert path.is_file(), f"{path} is missing: run with UPDATE_GOLDEN=1 and read what it writes"
    assert text + "\n" == path.read_text()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_status(situation: str, width: int) -> None:
    text = render_status(status_view(SITUATIONS[situation]()), Style(width=width))
    compare(f"status-{situation}-{width}.txt", text)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_explain(situation: str, width: int) -> None:
    text = render_explain(explain_view(SITUATIONS[situation]()), Style(width=width))
    compare(f"explain-{situation}-{width}.txt", text)


def test_that_an_overlap_may_end_is_said_only_where_it_is_known() -> None:
    known = samples.overlapping()
    (report,) = known.reports.values()
    used = {known.client.metadata.uid: LastUse(hour_of(NOW.timestamp()), {1: hour_of(NOW.timestamp())})}
    name = "apiclient-gate-a-usage"
    suspended = known.client.status.model_copy(update={"observed_status": ObservedStatus.SUSPENDED})
    for around in (
        replace(known, gates=None),
        replace(known, reports={}),
        replace(known, reports={name: replace(report, complete=None)}),
        replace(known, reports={name: replace(report, complete=NOW - timedelta(hours=3))}),
        replace(known, reports={name: replace(report, clients=used)}),
        replace(known, client=replace(known.client, status=suspended)),
    ):
        assert status_view(around).overlaps == ()
    assert len(status_view(known).overlaps) == 1


def test_keys_of_its_own_are_listed_by_id() -> None:
    keys = {"jwks": json.dumps(ForeignIssuer(**{"2026-11": "ES256"}).jwks())}
    view = status_view(samples.around(samples.client(secret={"issue": False}, keys=keys)))
    assert "2026-11  EC P-256" in render_status(view, Style(width=120))
    assert to_json(view)["keys"] == [{"kid": "2026-11", "kind": "EC P-256"}]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_nothing_but_tables_and_yaml_is_wider_than_the_screen(situation: str) -> None:
    around = SITUATIONS[situation]()
    texts = [render_status(status_view(around), Style(width=80)), render_explain(explain_view(around), Style(width=80))]
    for line in "\n".join(texts).splitlines():
        assert visible(line) <= 100, line


def test_colour_changes_nothing_but_colour() -> None:
    view = status_view(samples.busy())
    colourful, plain = (render_status(view, Style(color=color, width=120)) for color in (True, False))
    assert "\x1b[" in colourful
    assert [visible(line) for line in colourful.splitlines()] == [visible(line) for line in plain.splitlines()]


def test_the_screens_as_data() -> None:
    view = to_json(status_view(samples.busy()))
    assert json.loads(json.dumps(view)) == view
    assert view["effectiveStatus"] == "Available"
    assert view["contracts"][2]["planInForce"] == "basic"
    assert view["credentials"][0]["expires"] == "2026-06-12T07:26:53Z"
    explained = to_json(explain_view(samples.unacknowledged()))
    assert explained["ready"] is False
    assert "    acknowledgedContracts: [invoices, stock]" in explained["unblock"][0]["snippet"]


def test_the_approval_to_paste_takes_the_place_of_no_other() -> None:
    """Applied under the name of the one for the plan in force, it would end what that one lets in."""
    waiting = samples.contract("orders-v1", plan="gold", in_force="basic")
    decided = samples.decided_contract(waiting, samples.client(), ())
    names = []
    for plan in ("silver", "gold"):
        advice = advice_for_contract(Contract.from_object(decided | {"spec": decided["spec"] | {"plan": plan}}))
        assert advice is not None
        names.append(yaml.safe_load("\n".join(advice.snippet))["metadata"]["name"])
    assert names == ["team-a-orders-v1-silver", "team-a-orders-v1-gold"]


@pytest.mark.rule(33)
def test_a_contract_that_old_gates_would_not_end_is_in_force() -> None:
    decided = samples.decided_contract(
        samples.contract("orders-v1", plan="gold", in_force="gold"), samples.client(), ()
    )
    too_old = {"type": "Ready", "status": "False", "reason": "GateTooOld", "message": "See above"}
    conditions = [{**decided["status"]["conditions"][0], **too_old}]
    advice = advice_for_contract(
        Contract.from_object(decided | {"status": decided["status"] | {"conditions": conditions}})
    )
    assert advice is not None
    assert advice.problem == "Contract orders-v1: A gate does not obey a field of its spec"


@pytest.mark.rule(6)
def test_nothing_is_foretold_that_a_condition_rules_out() -> None:
    view = explain_view(samples.conflict())
    assert view.reason == "SecretConflict"
    assert not [one.what for one in view.next if "issues a new secret" in one.what]


@pytest.mark.rule(23)
def test_no_digest_is_ever_shown() -> None:
    for make in SITUATIONS.values():
        around = make()
        shown = json.dumps(to_json(status_view(around))) + json.dumps(to_json(explain_view(around)))
        assert "0" * 64 not in shown
        assert "digest" not in shown


def test_text_of_others_moves_no_cursor() -> None:
    raw = samples.client(owner="a\x1b[2J\nb", displayName="\u202eevil")
    text = render_status(status_view(samples.around(raw)), Style(width=80))
    assert "\x1b" not in text
    assert "\u202e" not in text
