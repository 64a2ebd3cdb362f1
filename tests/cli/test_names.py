"""What the plugin takes for granted of the manifests is what they say; the docs are what the commands say."""

from pathlib import Path

import yaml

from apiclients.cli.cluster import names
from apiclients.cli.docs import render
from apiclients.cli.screens.doctor import POLICIES

ROOT = Path(__file__).resolve().parents[2]


def test_flux_leaves_the_field_manager_alone() -> None:
    assert not names.FIELD_MANAGER.startswith(("kubectl", "before-first-apply"))


def test_doctor_knows_all_policies_and_what_their_bindings_do() -> None:
    found: dict[str, bool] = {}
    for path in (ROOT / "manifests" / "control" / "policies").glob("*.yaml"):
        for obj in yaml.safe_load_all(path.read_text()):
            if obj["kind"] == "ValidatingAdmissionPolicyBinding":
                found[obj["spec"]["policyName"]] = "Deny" in obj["spec"]["validationActions"]
    assert found == POLICIES


def test_docs_are_what_the_commands_say() -> None:
    path = ROOT / "docs" / "cli.md"
    assert path.read_text() == render(), "docs/cli.md is stale: python -m apiclients.cli.docs docs/cli.md"
