"""Findings for other programs: SARIF 2.1.0, GitLab code quality, GitHub annotations, JUnit.

Paths are relative to the root of the repository, with slashes. Fingerprints leave out lines and values, so that a
finding which only moved is still the same one.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import orjson

from apiclients import __version__
from apiclients.plan.model import Entry, Finding, Location, Plan
from apiclients.plan.render import words
from apiclients.resources.plan_rules import ALL, BY_ID, Level

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GITLAB = {Level.ERROR: "critical", Level.WARNING: "major", Level.NOTE: "info"}
_GITHUB = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
#: GitHub shows ten annotations of each level per step, and drops the rest without a word.
_NOWHERE = Location("unknown", 1)


def sarif(plan: Plan) -> str:
    """SARIF 2.1.0, with all findings."""
    index = {rule.id: number for number, rule in enumerate(ALL)}
    run = {
        "tool": {
            "driver": {
                "name": "kubectl-apiclient",
                "version": __version__,
                "rules": [
                    {
                        "id": rule.id,
                        "name": "".join(part.capitalize() for part in rule.name.split("-")),
                        "shortDescription": {"text": rule.summary},
                        "help": {"text": rule.help},
                        "defaultConfiguration": {"level": rule.level.value},
                    }
                    for rule in ALL
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, mark, index) for finding, mark in _marked(plan)],
    }
    return _json({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _sarif_result(finding: Finding, mark: str, index: dict[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": finding.level.value,
        "message": {"text": finding.message},
        "partialFingerprints": {"apiclientPlan/v1": mark},
        "baselineState": "new" if finding.new else "unchanged",
    }
    if finding.location is not None:
        artifact = {"uri": quote(finding.location.file)}
        physical = {"artifactLocation": artifact, "region": {"startLine": finding.location.line}}
        result["locations"] = [{"physicalLocation": physical}]
    return result


def gitlab(plan: Plan) -> str:
    """A code quality report, with all findings."""
    return _json(
        [
            {
                "description": finding.message,
                "check_name": f"{finding.rule}-{BY_ID[finding.rule].name}",
                "fingerprint": mark,
                "severity": _GITLAB[finding.level],
                "location": {
                    "path": (finding.location or _NOWHERE).file,
                    "lines": {"begin": (finding.location or _NOWHERE).line},
                },
            }
            for finding, mark in _marked(plan)
        ]
    )


def github(plan: Plan) -> str:
    """Workflow commands that annotate the changed lines, for findings that people are shown."""
    return "".join(f"{_command(finding)}\n" for finding in plan.shown_findings)


def _command(finding: Finding) -> str:
    title = f"{finding.rule} {BY_ID[finding.rule].name}"
    places = {"title": title}
    if finding.location is not None:
        places = {"file": finding.location.file, "line": str(finding.location.line), "title": title}
    properties = ",".join(f"{key}={_property(value)}" for key, value in places.items())
    return f"::{_GITHUB[finding.level]} {properties}::{_data(finding.message)}"


def _data(text: str) -> str:
    """No text of a manifest may end a command and begin another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def junit(plan: Plan) -> str:
    """One test case for each change and each finding; those of level error fail."""
    cases = [*(_change_case(entry) for entry in plan.entries), *(_finding_case(f) for f in plan.shown_findings)]
    failures = sum(1 for finding in plan.new_findings if finding.level is Level.ERROR)
    head = f'name="{words.TOOL}" tests="{len(cases)}" failures="{failures}" errors="0"'
    body = "".join(f"    {case}\n" for case in cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites {head}>\n  <testsuite {head} skipped="0" time="0">\n{body}  </testsuite>\n</testsuites>\n'
    )


def _change_case(entry: Entry) -> str:
    name = f"{entry.object}: {entry.change} ({entry.severity}), {words.transition(entry)}"
    return f"<testcase {_place('changes', name, entry.location)}/>"


def _finding_case(finding: Finding) -> str:
    name = f"{finding.rule} {BY_ID[finding.rule].name}: {finding.object or 'file'}"
    place = _place(f"findings.{finding.rule}", name, finding.location)
    where = f"{finding.location}: " if finding.location is not None else ""
    text = _clean(f"{where}{finding.message}\n{BY_ID[finding.rule].help}")
    if finding.level is Level.ERROR:
        kind = quoteattr(BY_ID[finding.rule].name)
        message = quoteattr(_clean(finding.message))
        return f"<testcase {place}><failure message={message} type={kind}>{escape(text)}</failure></testcase>"
    return f"<testcase {place}><system-out>{escape(text)}</system-out></testcase>"


def _place(group: str, name: str, location: Location | None) -> str:
    file = f" file={quoteattr(_clean(location.file))}" if location is not None else ""
    return f'classname="apiclient.plan.{group}" name={quoteattr(_clean(name))}{file} time="0"'


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?" for c in text
    )


def _marked(plan: Plan) -> Iterator[tuple[Finding, str]]:
    """Findings with their fingerprints; of several alike each has its own."""
    seen: Counter[str] = Counter()
    for finding in plan.findings:
        file = finding.location.file if finding.object is None and finding.location is not None else ""
        parts = [finding.rule, *(finding.object or ()), finding.subject, file]
        text = "\0".join(parts)
        seen[text] += 1
        number = f"\0{seen[text]}" if seen[text] > 1 else ""
        yield finding, hashlib.sha256(f"{text}{number}".encode()).hexdigest()[:32]


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
