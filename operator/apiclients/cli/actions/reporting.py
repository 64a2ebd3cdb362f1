"""Collects a report and writes it."""

import json
import platform
import sys
from pathlib import Path
from typing import Any

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.facts import Facts, read_facts
from apiclients.cli.cluster.names import DEPLOYMENTS, PODS
from apiclients.cli.errors import CliError
from apiclients.cli.files import PRIVATE, write_whole
from apiclients.cli.screens.doctor import doctor_view
from apiclients.cli.screens.output import to_json
from apiclients.cli.screens.redact import redact, redact_object
from apiclients.cli.screens.text import write
from apiclients.kube.errors import ApiError
from apiclients.kube.kinds import ALL_KINDS
from apiclients.kube.objects import EVENTS, JsonObject, ResourceType
from apiclients.resources.fields import format_time
from apiclients.resources.names import GROUP

_MOST_EVENTS = 1000


async def collect(session: Session, namespace: str | None, system_namespace: str) -> JsonObject:
    """Everything, without secrets. ``namespace`` None: of all. Raises KubeError where nothing can be read at all."""
    unread: list[str] = []
    facts = await read_facts(session, system_namespace)
    report: JsonObject = {
        "formatVersion": 1,
        "time": format_time(facts.now),
        "versions": {"plugin": facts.plugin_version, "python": platform.python_version()},
        "server": session.kube.server,
        "namespace": namespace or "<all>",
        "doctor": to_json(doctor_view(facts)),
        "installation": _installation(facts),
    }
    for resource in ALL_KINDS:
        report[resource.plural] = await _objects(session, resource, namespace, unread)
    report["events"] = await _events(session, namespace, unread)
    for resource in (DEPLOYMENTS, PODS):
        report[resource.plural] = await _objects(session, resource, system_namespace, unread)
    report["unread"] = unread
    cleaned: JsonObject = redact(report)
    return cleaned


def _installation(facts: Facts) -> JsonObject:
    crds = facts.crds or {}
    return {
        "crds": {name: [version["name"] for version in crd["spec"]["versions"]] for name, crd in crds.items()},
        "policies": [redact_object(obj) for obj in (facts.policies or {}).values() if _ours(obj)],
        "bindings": [redact_object(obj) for obj in facts.bindings or () if _ours(obj)],
        "leases": [redact_object(obj) for obj in (facts.operator_lease, *(facts.gate_leases or ())) if obj],
    }


def _ours(obj: JsonObject) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/part-of") == "apiclients"


async def _objects(
    session: Session, resource: ResourceType, namespace: str | None, unread: list[str], fields: str | None = None
) -> list[JsonObject]:
    try:
        found = await session.objects(resource, namespace, fields=fields)
    except ApiError as error:
        unread.append(f"{resource.plural}: {error.status} {error.reason}")
        return []
    return [redact_object(obj) for obj in found]


async def _events(session: Session, namespace: str | None, unread: list[str]) -> list[JsonObject]:
    found = await _objects(session, EVENTS, namespace, unread)
    ours = [event for event in found if _is_about_us(event)]
    return ours[-_MOST_EVENTS:]


def _is_about_us(event: JsonObject) -> bool:
    group, _, _ = str((event.get("regarding") or {}).get("apiVersion")).partition("/")
    return group == GROUP


def write_report(report: JsonObject, path: Path | None) -> None:
    """Write it to a file that only its owner can read, and print its name. Raises CliError."""
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if path is not None and str(path) == "-":
        write(sys.stdout, text)
        return
    target = path or Path(f"apiclient-report-{_stamp(report)}.json")
    try:
        write_whole(target, f"{text}\n".encode(), PRIVATE)
    except OSError as error:
        raise CliError(f"{target} cannot be written ({error.strerror}). Choose another file with --filename") from error
    write(sys.stdout, str(target))


def _stamp(report: dict[str, Any]) -> str:
    return str(report["time"]).replace(":", "").replace("-", "")
