"""The bill of materials lists the lock of the runtime: all of it, at its versions, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from apiclients import __version__
from image.sbom import ROOT, main
from image.wheels import LOCK

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

_PINNED = re.compile(r"^([a-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def test_it_is_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        assert main([str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    bom = json.loads(files[0].read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert (bom["metadata"]["component"]["name"], bom["metadata"]["component"]["version"]) == (
        "apiclient-operator",
        __version__,
    )
    found = {(component["name"], component["version"]) for component in bom["components"]}
    assert found == set(_PINNED.findall((ROOT / LOCK).read_text()))
    for component in bom["components"]:
        assert component["purl"].startswith("pkg:pypi/")
        assert component["externalReferences"][0]["hashes"], component["name"]
