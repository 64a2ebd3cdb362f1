"""Each format against its golden file, and against what its readers demand.

``UPDATE_GOLDEN=1 pytest tests/plan`` writes the golden files anew; review the difference like code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apiclients import __version__
from apiclients.plan.model import Location, Plan
from apiclients.plan.render import json_format, markdown, reports, text
from apiclients.resources.plan_rules import ALL, BY_ID
from tests.plan.golden_scene import golden_plan
from tests.plan.support import Scene, acknowledging, api, client, contract

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = Path(__file__).parents[2] / "docs" / "plan-format.schema.json"

FORMATS: dict[str, Callable[[Plan], str]] = {
    "plan.txt": text.render,
    "plan.md": markdown.render,
    "plan.json": json_format.render,
    "plan.sarif": reports.sarif,
    "plan.gitlab.json": reports.gitlab,
    "plan.github.txt": reports.github,
    "plan.junit.xml": reports.junit,
}
NASTY = "\x00\x1b[2J`|]]>--><script>\n::error::@team %0A\u202e"


@pytest.fixture(scope="module")
def made() -> Plan:
    return golden_plan()


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_as_reviewed(name: str, made: Plan) -> None:
    shown = FORMATS[name](made).replace(__version__, "VERSION")
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_plan_renders(name: str) -> None:
    assert FORMATS[name](Scene((), ()).plan()) or name == "plan.github.txt"


def nasty(made: Plan) -> Plan:
    """The same plan with text that tries to break out, wherever people's text can be."""
    findings = tuple(
        dataclasses.replace(f, message=NASTY, location=Location(f"a,b:c/{NASTY}.yaml", 1)) for f in made.findings
    )
    entries = tuple(
        dataclasses.replace(
            e,
            notes=(NASTY,),
            fields=tuple(dataclasses.replace(f, before=NASTY, after=NASTY) for f in e.fields),
            holds=tuple(dataclasses.replace(h, reason=NASTY) for h in e.holds),
            location=Location(NASTY, 1),
        )
        for e in made.entries
    )
    return dataclasses.replace(made, findings=findings, entries=entries, head=NASTY, notices=(NASTY,))


def test_text_fits_100_columns_and_hides_nothing(made: Plan) -> None:
    for plan in (made, nasty(made)):
        shown = text.render(plan)
        assert max(map(len, shown.splitlines())) <= 100
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_text_is_as_wide_as_the_terminal(made: Plan, width: int) -> None:
    widest = max(map(len, text.render(nasty(made), width=width).splitlines()))
    assert width * 0.9 <= widest <= width


def test_colour_adds_nothing_but_colour(made: Plan) -> None:
    assert re.sub(r"\x1b\[[0-9;]*m", "", text.render(made, color=True)) == text.render(made)


def test_markdown_stays_markdown(made: Plan) -> None:
    shown = markdown.render(nasty(made), key="--> <script>")
    assert shown.startswith("<!-- apiclient-plan:-script- -->\n")
    outside = re.sub(r"`[^`\n]*`", "", shown)  # code is shown as it is
    assert "<script>" not in outside
    assert "@team" not in outside
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)
    assert shown.count("<details") == shown.count("</details>")


def test_markdown_never_exceeds_its_limit(made: Plan) -> None:
    many = dataclasses.replace(made, entries=made.entries * 500, findings=made.findings * 500)
    shown = markdown.render(many)
    assert len(shown) <= 65_000
    assert "do not fit" in shown
    assert shown.count("<details") == shown.count("</details>")
    assert "planned at" in shown


def test_github_commands_cannot_be_forged(made: Plan) -> None:
    lines = reports.github(nasty(made)).splitlines()
    assert len(lines) == len(made.new_findings)
    assert all(
        re.fullmatch(r"::(error|warning|notice) file=[^:,]*,line=\d+,title=[^:,]*::[^\r\n]*", line) for line in lines
    )


def test_sarif_is_what_code_scanning_takes(made: Plan) -> None:
    """The fields that GitHub demands: rules with ids, levels, places, fingerprints."""
    body = json.loads(reports.sarif(made))
    (run,) = body["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert (body["version"], [rule["id"] for rule in rules]) == ("2.1.0", [rule.id for rule in ALL])
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
    assert len(run["results"]) == len(made.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        for place in result.get("locations", []):
            physical = place["physicalLocation"]
            assert physical["region"]["startLine"] >= 1
            assert not physical["artifactLocation"]["uri"].startswith("/")
    marks = [tuple(result["partialFingerprints"].values()) for result in run["results"]]
    assert len(set(marks)) == len(marks)


def test_gitlab_reports_have_what_gitlab_demands(made: Plan) -> None:
    items = json.loads(reports.gitlab(made))
    assert len(items) == len(made.findings)
    for item in items:
        assert set(item) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert item["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert item["location"]["lines"]["begin"] >= 1
        assert item["location"]["path"]
    assert len({item["fingerprint"] for item in items}) == len(items)


def test_fingerprints_survive_a_move(made: Plan) -> None:
    moved = tuple(
        dataclasses.replace(
            f, location=dataclasses.replace(f.location, line=f.location.line + 7) if f.location else None
        )
        for f in made.findings
    )
    old, new = (
        [item["fingerprint"] for item in json.loads(reports.gitlab(plan))]
        for plan in (made, dataclasses.replace(made, findings=moved))
    )
    assert old == new


def test_junit_is_xml_with_right_counts(made: Plan) -> None:
    for plan in (made, nasty(made)):
        root = ET.fromstring(reports.junit(plan))
        (suite,) = root.findall("testsuite")
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases) == len(plan.entries) + len(plan.new_findings)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert all(case.attrib["name"] and case.attrib["classname"] for case in cases)
        assert all(failure.attrib["message"] and failure.attrib["type"] for failure in suite.iter("failure"))


def closed(schema: Any) -> Any:
    """The schema with no room for fields that it does not know."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(part) for key, part in schema.items()}
    return made | {"additionalProperties": False} if "properties" in schema and "type" in schema else made


def test_json_fits_its_schema(made: Plan) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    held = Scene((api(), client(), contract()), (api(), client(status="Retired", **acknowledging("x")), contract()))
    for plan in (made, held.plan(), held.blind_plan(), Scene((), ()).plan()):
        jsonschema.Draft202012Validator(closed(schema)).validate(json.loads(json_format.render(plan)))


def test_the_schema_names_every_field(made: Plan) -> None:
    """Without a validator at hand: the fields of the format and those of its schema are the same."""
    schema = json.loads(SCHEMA.read_text())
    body = json_format.to_object(made)
    defs = schema["$defs"]
    assert set(body) == set(schema["properties"]) == set(schema["required"])
    assert {key for entry in body["changes"] for key in entry} == set(defs["entry"]["properties"])
    assert set(defs["entry"]["properties"]) == set(defs["entry"]["required"])
    assert {key for finding in body["findings"] for key in finding} == set(defs["finding"]["properties"])
    assert {key for one in body["drift"] for key in one} == set(defs["drift"]["properties"])


def test_every_finding_has_a_rule(made: Plan) -> None:
    assert {finding.rule for finding in made.findings} <= set(BY_ID)
    assert len(BY_ID) == len(ALL)
