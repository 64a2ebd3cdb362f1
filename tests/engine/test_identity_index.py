"""Who is looked at again when a claim, a grant or a TokenIssuer changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from apiclients.engine.relations import Relations
from apiclients.engine.views import read_view
from apiclients.engine.wakes import Wakes
from apiclients.resources.fields import format_time
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.world import START

pytestmark = pytest.mark.rule(30)


def issuer(name: str = "kc", *prefixes: str, **spec: Any) -> dict[str, Any]:
    grants = [{"namespace": "team-a", "prefix": prefix} for prefix in prefixes]
    body = {"issuer": "https://kc", "keys": {"jwksURL": "https://kc/keys"}, "audiences": ["a"], "subjects": grants}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": body | spec, "status": {}}


def client(name: str, *subjects: str, since: bool = False) -> dict[str, Any]:
    claims = [{"issuer": "kc", "subject": subject} for subject in subjects]
    known = [claim | {"since": format_time(START)} for claim in claims] if since else []
    meta = {"namespace": "team-a", "name": name, "uid": f"uid-{name}"}
    return {
        "metadata": meta,
        "spec": {"desiredStatus": "Available", "identities": claims},
        "status": {"identities": known},
    }


def put(relations: Relations, kind: str, raw: dict[str, Any], *, gone: bool = False) -> set[str]:
    """Take in an object; returns who is woken, as ``Kind name``."""
    ref = ObjectRef(kind, raw["metadata"].get("namespace", ""), raw["metadata"]["name"])
    view, readable = read_view(kind, None if gone else raw)
    return woken(relations.put(ref, view, readable=readable))


def woken(found: Iterable[Wakes]) -> set[str]:
    return {f"{wakes.kind} {name}" for wakes in found for _, name in wakes.keys}


def test_a_token_issuer_wakes_the_clients_that_name_it() -> None:
    relations = Relations()
    put(relations, "ApiClient", client("billing", "b"))
    put(relations, "ApiClient", client("shop"))
    assert put(relations, "TokenIssuer", issuer()) == {"ApiClient billing"}
    assert put(relations, "TokenIssuer", issuer("kc", "b")) == {"ApiClient billing"}
    assert put(relations, "TokenIssuer", issuer("kc", "b", audiences=["other"])) == set(), "no claim hangs on that"
    assert put(relations, "TokenIssuer", issuer("kc", "b"), gone=True) == {"ApiClient billing"}


def test_claims_wake_their_rivals() -> None:
    relations = Relations()
    put(relations, "ApiClient", client("billing", "b", "c"))
    assert put(relations, "ApiClient", client("copy", "b")) == {"ApiClient billing"}
    assert put(relations, "ApiClient", client("copy", "b", since=True)) == {"ApiClient billing"}
    assert put(relations, "ApiClient", client("copy", "b", since=True)) == set()
    assert put(relations, "ApiClient", client("copy", "c")) == {"ApiClient billing"}
    assert put(relations, "ApiClient", client("copy", "c"), gone=True) == {"ApiClient billing"}
    assert put(relations, "ApiClient", client("other", "d")) == set()


def test_token_issuers_for_one_issuer_wake_each_other() -> None:
    relations = Relations()
    put(relations, "TokenIssuer", issuer("old"))
    assert put(relations, "TokenIssuer", issuer("young")) == {"TokenIssuer old"}
    assert put(relations, "TokenIssuer", issuer("another", issuer="https://other")) == set()
    assert put(relations, "TokenIssuer", issuer("old"), gone=True) == {"TokenIssuer young"}


def test_a_copy_changes_on_its_own() -> None:
    relations = Relations()
    put(relations, "ApiClient", client("billing", "b"))
    put(relations, "TokenIssuer", issuer("kc", "b"))
    other = relations.copy()
    put(other, "ApiClient", client("billing", "b"), gone=True)
    put(other, "TokenIssuer", issuer("kc", "b"), gone=True)
    assert len(list(relations.identities.claims(("kc", "b")))) == 1
    assert relations.identities.issuer("kc") is not None
    assert list(other.identities.claims(("kc", "b"))) == []
    assert relations.identities.naming("kc") == [("team-a", "billing")]


@pytest.mark.rule(32)
def test_a_client_that_cannot_be_read_holds_new_claims_back() -> None:
    relations = Relations()
    put(relations, "TokenIssuer", issuer("kc", ""))
    broken = client("billing", "b")
    broken["spec"]["desiredStatus"] = "Somehow"
    put(relations, "ApiClient", broken)
    put(relations, "ApiClient", client("copy", "b"))
    view = relations.client(("team-a", "copy"))
    assert view is not None
    assert relations.observed_identities(("team-a", "copy"), view.identities).unreadable == {"team-a"}
    assert put(relations, "ApiClient", client("billing", "d")) >= {"ApiClient copy"}
    assert put(relations, "ApiClient", broken) >= {"ApiClient copy"}
