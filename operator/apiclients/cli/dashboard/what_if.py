"""What a change of a client would do, by the code of ``plan``, and how it is made in Git. Changes nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import yaml

from apiclients.cli.actions.proposing import (
    RETIRE,
    SUSPEND,
    Proposal,
    StatusChange,
    Subject,
    proposal,
    read_subject,
    spec_change,
    undeclared,
)
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.live_state import read_state
from apiclients.cli.git import change as gitchange
from apiclients.cli.screens.contracts import ContractLine
from apiclients.kube.objects import JsonObject
from apiclients.plan.core import plan
from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifests, SourceFile, Tree, read_all
from apiclients.plan.model import Plan
from apiclients.plan.render import text as plan_text
from apiclients.resources.names import API_VERSION
from apiclients.resources.yaml_text import dump

_WIDTH = 96


class Choice(StrEnum):
    """What can be asked about."""

    SUSPEND = "suspend"
    RETIRE = "retire"
    DELETE = "delete"


_CHANGES = {Choice.SUSPEND: SUSPEND, Choice.RETIRE: RETIRE}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer."""

    choice: Choice
    namespace: str
    name: str
    #: The contracts in force, which are what is at stake.
    active: tuple[ContractLine, ...]
    #: How many are in force, also where they may not be read one by one.
    active_count: int
    #: What the plan says, line by line.
    consequences: tuple[str, ...]
    proposal: Proposal
    unread: tuple[str, ...]


async def what_if(session: Session, name: str, choice: Choice, root: Path) -> WhatIf:
    """Foresee it; ``root`` is where the manifests are. Raises CliError, KubeError."""
    subject = await read_subject(session, name)
    namespace = session.namespace
    live = await read_state(session, "the cluster", namespaces=[namespace], workloads_in=[namespace])
    made = await asyncio.to_thread(_plan, subject, choice, live)
    return WhatIf(
        choice=choice,
        namespace=namespace,
        name=name,
        active=tuple(line for line in subject.contracts if line.name in subject.active),
        active_count=len(subject.active),
        consequences=tuple(plan_text.render(made, width=_WIDTH).rstrip("\n").split("\n")[2:]),
        proposal=await asyncio.to_thread(_proposal, subject, choice, root),
        unread=subject.unread,
    )


def _plan(subject: Subject, choice: Choice, live: LiveState) -> Plan:
    raw = subject.raw
    base = _manifest(raw, raw["spec"])
    what = _CHANGES.get(choice)
    head = [] if what is None else [_manifest(raw, _merged(raw["spec"], spec_change(subject, what)["spec"]))]
    before, after = read_all([_tree("live", [base]), _tree(str(choice), head)])
    return _without_places(plan(_as_live(before), after, live, live.taken_time))


def _without_places(made: Plan) -> Plan:
    """Lines of manifests that nobody has would tell nobody anything."""
    return replace(
        made,
        entries=tuple(replace(one, location=None) for one in made.entries),
        findings=tuple(replace(one, location=None) for one in made.findings),
    )


def _as_live(manifests: Manifests) -> Manifests:
    """What the cluster holds is no declaration that it could differ from."""
    return replace(manifests, is_live=True)


def _manifest(raw: JsonObject, spec: JsonObject) -> JsonObject:
    """What somebody would have in Git for an object."""
    meta = {key: raw["metadata"][key] for key in ("name", "namespace", "labels") if raw["metadata"].get(key)}
    return {"apiVersion": API_VERSION, "kind": "ApiClient", "metadata": meta, "spec": spec}


def _merged(spec: JsonObject, patch: JsonObject) -> JsonObject:
    """A merge patch that holds maps and values alone."""
    merged = dict(spec)
    for key, value in patch.items():
        known = merged.get(key)
        merged[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _tree(label: str, manifests: Sequence[JsonObject]) -> Tree:
    return Tree(label, tuple(SourceFile("client.yaml", dump(one)) for one in manifests))


def _proposal(subject: Subject, choice: Choice, root: Path) -> Proposal:
    what: StatusChange | None = _CHANGES.get(choice)
    if what is not None:
        return proposal(subject, what, root)
    meta = subject.client.metadata
    found = gitchange.find(root, meta.namespace, meta.name)
    if len(found) != 1:
        return Proposal(f"{undeclared(subject, root, found)} Delete what declares it in Git.", "")
    (declared,) = found
    if _documents(declared.text) > 1:
        return Proposal(f"Delete its document from {declared.path} in Git, and have it reviewed.", "")
    said = f"Delete {declared.path} in Git (this patch is for `git apply`), and have it reviewed:"
    return Proposal(said, gitchange.removal(declared).rstrip("\n"), tuple(declared.cautions))


def _documents(text: str) -> int:
    return sum(node is not None for node in yaml.compose_all(text, Loader=yaml.SafeLoader))
