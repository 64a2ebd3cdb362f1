"""Values that the pages of the installation show are values of the chart, and do what the page says they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.chart.conftest import Object, Render
from tests.manifests.rendered import ROOT

pytestmark = [pytest.mark.chart, pytest.mark.timeout(1900)]

PAGES = sorted((ROOT / "docs/install").glob("*.md"))
_VALUES = re.compile(r"^```yaml\n(# values\.yaml\n.*?)^```$", re.MULTILINE | re.DOTALL)
_FOREIGN = ",".join(f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PrometheusRule"))


def _blocks(page: Path) -> list[Object]:
    return [yaml.safe_load(text) for text in _VALUES.findall(page.read_text())]


SHOWN = [
    pytest.param(values, id=f"{page.stem}-{number}") for page in PAGES for number, values in enumerate(_blocks(page))
]


def test_pages_show_values() -> None:
    assert len(SHOWN) >= 10


@pytest.mark.parametrize("values", SHOWN)
def test_values_of_a_page_are_taken(render: Render, values: Object) -> None:
    objects = render(values, apis=_FOREIGN)
    kinds = {obj["kind"] for obj in objects}
    wanted = {
        "ingress": "Ingress",
        "httpRoute": "HTTPRoute",
        "certificate": "Certificate",
        "networkPolicy": "NetworkPolicy",
        "prometheusRule": "PrometheusRule",
    }
    assert {kind for value, kind in wanted.items() if value in values} <= kinds
    assert {obj["kind"] for obj in values.get("extraObjects", [])} <= kinds


def test_every_page_is_in_the_list() -> None:
    listed = set(re.findall(r"\(([a-z-]+\.md)\)", (ROOT / "docs/install/README.md").read_text()))
    assert listed == {page.name for page in PAGES} - {"README.md"}
