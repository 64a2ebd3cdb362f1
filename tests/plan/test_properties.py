"""What holds for every change: base against itself is nothing, planning is deterministic, nothing makes it raise."""

from __future__ import annotations

import random
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apiclients.plan.core import plan
from apiclients.plan.manifests import Manifests, SourceFile, Tree, read_all
from apiclients.plan.model import Severity
from apiclients.plan.render import json_format, markdown, reports, text
from tests.plan.generated import Repository
from tests.plan.support import NOW, JsonObject, live_of, read, tree

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = ("ApiClient", "Api", "Contract", "ContractApproval", "ApiClientHold")


def repositories(seed: int, changes: int) -> tuple[Repository, Repository]:
    """A repository and what became of it."""
    rng = random.Random(seed)
    before = Repository(rng, "team-a", "shop").fill().changed(changes)
    return before, before.changed(changes)


@QUICK
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_base_against_itself_changes_nothing(seed: int, changes: int) -> None:
    before, after = repositories(seed, changes)
    live = live_of(*after.all())  # the cluster may be anywhere
    for state in (live, None):
        base, head = read(tree("base", *before.all()), tree("head", *before.all(), path="moved/elsewhere.yaml"))
        made = plan(base, head, state, NOW)
        assert made.entries == ()
        assert made.new_findings == ()


@QUICK
@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans())
@example(2448, 3, False)  # one object went and another came, on the same line of the same file
def test_planning_is_deterministic_and_consistent(seed: int, changes: int, blind: bool) -> None:
    before, after = repositories(seed, changes)
    live = None if blind else live_of(*before.all())

    def once(shuffled: bool) -> Any:
        objects = list(after.all())
        if shuffled:
            random.Random(seed).shuffle(objects)
        base, head = read(tree("base", *before.all()), tree("head", *objects))
        made = plan(base, head, live, NOW)
        return [(e.object, e.changes, e.severity, e.before, e.after, e.effects, e.notes) for e in made.entries]

    assert once(shuffled=False) == once(shuffled=False)
    assert once(shuffled=False) == once(shuffled=True)


@QUICK
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_what_a_plan_says_fits_together(seed: int, changes: int) -> None:
    before, after = repositories(seed, changes)
    base, head = read(tree("base", *before.all()), tree("head", *after.all()))
    made = plan(base, head, live_of(*before.all()), NOW)
    for entry in made.entries:
        assert entry.change in entry.changes
        assert entry.declared or entry.because
        assert not entry.contracts_ended or entry.severity.rank >= Severity.DISRUPTIVE.rank
        assert entry.tokens is None or entry.tokens.at_most.total_seconds() <= 72 * 3600
        known = entry.acknowledgement
        assert known is None or known.complete == (not known.paste)
        assert known is None or known.complete or entry.blocked
    for render in (text.render, markdown.render, json_format.render, reports.sarif, reports.gitlab, reports.junit):
        render(made)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-10, 10), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["Available", "Retired", "24h", "0s", "billing", "team-a", "2026-01-01T00:00:00Z", "All", "gold"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["desiredStatus", "secret", "tokens", "retirement", "plans", "consumers", "clientName", "api", "plan", "contract",
     "client", "decision", "reason", "selector", "expiresTime", "version", "lifetime", "notBefore", "name", "overlap"]
)  # fmt: skip
OBJECTS = st.fixed_dictionaries(
    {
        "apiVersion": st.sampled_from(["apiclients.dev/v1alpha1", "apiclients.dev/v1alpha1", "apiclients.dev/v2"]),
        "kind": st.sampled_from(KINDS) | st.text(max_size=4),
        "metadata": st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "b", "billing"]) | SCALARS, "namespace": st.just("team-a")}
        )
        | VALUES,
        "spec": st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=3), max_size=5) | VALUES,
    }
)


def odd(objects: list[JsonObject]) -> Manifests:
    """Any objects, as YAML."""
    return read_all([Tree("odd", (SourceFile("a.yaml", yaml.safe_dump_all(objects)),))])[0]


@QUICK
@given(st.lists(OBJECTS, max_size=4), st.lists(OBJECTS, max_size=4))
def test_no_manifest_makes_it_raise(one: list[JsonObject], other: list[JsonObject]) -> None:
    plan(odd(one), odd(other), None, NOW)


@QUICK
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_makes_it_raise(one: str, other: str) -> None:
    prefix = "apiVersion: apiclients.dev/v1alpha1\nkind: ApiClient\n"
    trees = [
        Tree("x", (SourceFile("a.yaml", f"{prefix}{body}"), SourceFile("Kustomization", body))) for body in (one, other)
    ]
    base, head = read_all(trees)
    plan(base, head, None, NOW)
