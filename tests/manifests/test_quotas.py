"""The quotas in ``examples/quotas``: each of our kinds has one, and the API server refuses one object too many."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.resources.hold import MAX_SELECTING_HOLDS
from cluster import LocalCluster
from tests.manifests.rendered import ROOT
from tests.manifests.samples import EXAMPLE, GROUP
from tests.toolkit.admin import Admin
from tests.toolkit.objects import KINDS
from tests.toolkit.waiting import eventually

FILES = sorted((ROOT / "examples" / "quotas").glob("*.yaml"))
FEW = 2


def quota(file: Path) -> dict[str, Any]:
    """The one object in a file."""
    (found,) = yaml.safe_load_all(file.read_text())
    return dict(found)


def counted(made: dict[str, Any]) -> dict[str, str]:
    """What a quota counts, by the plural of the kind."""
    return {what.removeprefix("count/").removesuffix(f".{GROUP}"): most for what, most in made["spec"]["hard"].items()}


def test_each_kind_has_a_quota() -> None:
    limits = [(kind, int(most)) for file in FILES for kind, most in counted(quota(file)).items()]
    assert sorted(kind for kind, _ in limits) == sorted(KINDS)
    assert dict(limits)["apiclientholds"] <= MAX_SELECTING_HOLDS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_one_object_too_many_is_refused(installed: LocalCluster, admin: Admin, team: str, file: Path) -> None:
    shipped = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-n", team, "-f", str(file))
    assert shipped.stderr == ""
    made = quota(file)
    few = made | {"spec": {"hard": dict.fromkeys(made["spec"]["hard"], str(FEW))}}
    admin.create("resourcequotas", team, few)
    until_counted(admin, team, made["metadata"]["name"])
    for kind in counted(made):
        for number in range(FEW):
            admin.create(kind, team, EXAMPLE[kind](f"one-{number}", team))
        refused = admin.ask("POST", kind, team, body=EXAMPLE[kind]("one-more", team))
        assert refused.status == 403, refused.body
        assert f"exceeded quota: {made['metadata']['name']}" in refused.message
        admin.delete(kind, team, "one-0")
        following = partial(admin.ask, "POST", kind, team, body=EXAMPLE[kind]("next", team))
        eventually("there is room", lambda ask=following: ask().status == 201)  # type: ignore[misc]


def until_counted(admin: Admin, namespace: str, name: str) -> None:
    """The controller counts a new quota, and learns of a new kind within half a minute; until then nothing passes."""

    def probe() -> bool:
        found = admin.get("resourcequotas", namespace, name)
        return set(found.get("status", {}).get("used", {})) == set(found["spec"]["hard"])

    eventually("the quota counts", probe, pause=0.5)
