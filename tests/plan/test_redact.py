"""Nothing of other teams is in a redacted plan, in whatever format."""

from __future__ import annotations

import json

from apiclients.lifecycle.spec_problems import spec_problem
from apiclients.plan.core import plan
from apiclients.plan.redact import redacted
from apiclients.plan.render import json_format, markdown, reports, text
from apiclients.resources.objects import ApiClient
from tests.plan.support import NOW, Scene, api, approval, client, contract, hold, live_of, read, tree
from tests.toolkit.issuer import ForeignIssuer

OTHERS = (
    client("zephyr", namespace="team-zebra", owner="zoe@example.com"),
    contract("zephyr-orders", "zephyr", under="manual", namespace="team-zebra"),
    approval("zephyr-yes", "zephyr-orders", by="zephyr", consumer="team-zebra"),
    hold("zephyr-stop", "zephyr", namespace="team-zebra"),
)


def test_no_name_of_others_is_in_any_format() -> None:
    base, head = read(
        tree("base", api()), tree("head", api(status="Retired", retirement={"acknowledgedContractCount": 5}))
    )
    live = live_of(api(), *OTHERS)
    made = plan(base, head, redacted(live, base, head), NOW)
    (found,) = made.entries
    assert len(found.contracts_ended) == 1
    shown = [text.render(made), markdown.render(made), json_format.render(made), reports.sarif(made)]
    shown += [reports.gitlab(made), reports.github(made), reports.junit(made)]
    assert not [one for one in shown if "zephyr" in one or "zebra" in one or "zoe" in one]


def test_keys_of_others_are_hidden_and_still_are_keys() -> None:
    keys = {"jwks": json.dumps(ForeignIssuer(zephyr="ES256").jwks())}
    other = client("other", namespace="team-zebra", secret={"issue": False}, keys=keys)
    base, head = read(tree("base", api()), tree("head", api()))
    objects = redacted(live_of(api(), other), base, head).objects
    (hidden,) = (obj for ref, obj in objects.items() if ref.kind == "ApiClient")
    assert "zephyr" not in str(hidden)
    assert spec_problem(ApiClient.from_object(hidden).spec, NOW) is None


def test_what_the_manifests_name_stays() -> None:
    scene = Scene((client(), contract()), (client(status="Retired"), contract()), elsewhere=(api(), *OTHERS))
    base, head = read(tree("base", *scene.base), tree("head", *scene.head))
    made = plan(base, head, redacted(scene.live, base, head), NOW)
    known = made.entries[0].acknowledgement
    assert known is not None
    assert known.missing == ("billing-orders",)


def test_the_verdicts_are_those_of_the_whole() -> None:
    scene = Scene((api(), client(), contract()), (api(status="Retired"), client(), contract()), elsewhere=OTHERS)
    base, head = read(tree("base", *scene.base), tree("head", *scene.head))
    whole, hidden = (plan(base, head, live, NOW) for live in (scene.live, redacted(scene.live, base, head)))
    key = [(e.object, e.change, e.severity, e.before, e.after, e.blocked, len(e.effects)) for e in whole.entries]
    assert key == [
        (e.object, e.change, e.severity, e.before, e.after, e.blocked, len(e.effects)) for e in hidden.entries
    ]
