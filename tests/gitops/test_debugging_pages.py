"""The pages of the kinds explain every state in which something is not as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitops.states import STATES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_is_not_ready_is_explained(name: str) -> None:
    obj = STATES[name].make()
    ready = next((one for one in obj["status"].get("conditions", []) if one["type"] == "Ready"), None)
    if ready is None or (ready["status"] == "True" and STATES[name].argocd != "Suspended"):
        return
    page = (DOCS / f"{obj['kind'].lower()}.md").read_text(encoding="utf-8")
    _, _, debugging = page.partition("\n## Debugging ")
    if ready["status"] == "True":
        assert ready["reason"].lower() in debugging.lower()
    else:
        row = f"| False/{ready['reason']}"
        stalled = any(one["type"] == "Stalled" for one in obj["status"]["conditions"])
        assert row + (", Stalled |" if stalled else " |") in debugging
