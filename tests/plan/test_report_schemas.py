"""SARIF and JUnit hold nothing that their standards do not know, so that no reader stumbles over it."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from apiclients.plan.model import Plan
from apiclients.plan.render import reports
from tests.plan.golden_scene import golden_plan
from tests.plan.support import Scene
from tests.plan.test_renderers import nasty

#: Fields of SARIF 2.1.0 that the model of sarif-pydantic leaves out, with their values.
_UNMODELLED = {
    ("Run", "columnKind"): {"utf16CodeUnits", "unicodeCodePoints"},
    ("Result", "baselineState"): {"new", "unchanged", "updated", "absent"},
}
#: Elements with their attributes and children, as Jenkins (xunit plugin, junit-10.xsd) and Maven Surefire take them.
_JUNIT: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testcase"}),
    # GitLab reads file, to lead to the place; the others pass it over.
    "testcase": ({"name", "classname", "time", "file"}, {"failure", "system-out"}),
    "failure": ({"message", "type"}, set()),
    "system-out": (set(), set()),
}
_SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


@pytest.fixture(params=["golden", "nasty", "empty"])
def made(request: pytest.FixtureRequest) -> Plan:
    plans = {"golden": golden_plan, "nasty": lambda: nasty(golden_plan()), "empty": Scene((), ()).plan}
    return plans[request.param]()


def unknown(model: object) -> Iterator[tuple[tuple[str, str], object]]:
    """Every field that a model of the standard does not have."""
    if isinstance(model, BaseModel):
        kind = type(model).__name__
        yield from (((kind, name), value) for name, value in (model.model_extra or {}).items())
        for name in type(model).model_fields:
            yield from unknown(getattr(model, name))
    elif isinstance(model, list | tuple):
        for one in model:
            yield from unknown(one)


def test_sarif_has_no_field_that_its_standard_does_not_know(made: Plan) -> None:
    sarif = importlib.import_module("sarif_pydantic")
    read = sarif.Sarif.model_validate_json(reports.sarif(made))
    assert read.runs
    for place, value in unknown(read):
        assert value in _UNMODELLED.get(place, set()), place


def test_junit_has_the_elements_and_attributes_that_its_readers_take(made: Plan) -> None:
    for part in ET.fromstring(reports.junit(made)).iter():
        attributes, children = _JUNIT[part.tag]
        assert set(part.attrib) <= attributes, part.tag
        assert {child.tag for child in part} <= children, part.tag
        assert _SUREFIRE_TIME.fullmatch(part.get("time", "0"))
        required = {"testsuite": ("name", "tests", "failures", "errors"), "testcase": ("name",)}
        assert all(name in part.attrib for name in required.get(part.tag, ()))
