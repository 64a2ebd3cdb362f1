"""Every example, applied twice with the real kubectl: the second time nothing changes, and nothing is different."""

import json
from pathlib import Path

import pytest

from cluster import LocalCluster
from tests.manifests.rendered import ROOT

#: Those of our kinds.
EXAMPLES = [
    *sorted(set((ROOT / "examples").glob("*.yaml")) - {ROOT / "examples" / "00-namespaces.yaml"}),
    ROOT / "examples" / "repository",
]
SERVER_SIDE = ("--server-side", "--force-conflicts")
pytestmark = pytest.mark.cluster


def versions(cluster: LocalCluster, files: tuple[str, ...]) -> dict[str, str]:
    """The resource version of each object."""
    found = json.loads(cluster.kubectl("get", *files, "--output=json").stdout)
    return {
        f"{obj['kind']}/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"]
        for obj in found.get("items", [found])
    }


@pytest.mark.rule(21)
@pytest.mark.parametrize("how", [(), SERVER_SIDE], ids=["client-side", "server-side"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_applied_twice_an_example_is_unchanged(installed: LocalCluster, example: Path, how: tuple[str, ...]) -> None:
    files = ("--recursive", "-f", str(example))
    installed.kubectl("apply", *files, *how)
    before = versions(installed, files)
    again = installed.kubectl("apply", *files, *how).stdout.splitlines()
    assert versions(installed, files) == before
    if not how:
        assert [line for line in again if not line.endswith(" unchanged")] == []
    assert installed.kubectl("diff", *files, *how).stdout == ""
