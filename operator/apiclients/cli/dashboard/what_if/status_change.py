"""Previews a change of a client: the consequences by ``plan``, and the patch for Git. Read-only."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from apiclients.cli.actions.proposing import (
    RETIRE,
    SUSPEND,
    Proposal,
    Subject,
    proposal,
    proposed,
    read_subject,
    spec_change,
    undeclared,
)
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.live_state import read_state
from apiclients.cli.dashboard.what_if.foreseeing import foresee
from apiclients.cli.dashboard.what_if.rotation import Rotation, rotation
from apiclients.cli.errors import CliError
from apiclients.cli.git import change as gitchange
from apiclients.cli.screens.contracts import ContractLine
from apiclients.kube.objects import JsonObject


class Choice(StrEnum):
    """The changes that can be previewed."""

    ROTATE = "rotate"
    SUSPEND = "suspend"
    RETIRE = "retire"
    DELETE = "delete"


_CHANGES = {Choice.SUSPEND: SUSPEND, Choice.RETIRE: RETIRE}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The preview."""

    choice: Choice
    namespace: str
    name: str
    #: The contracts in force.
    active: tuple[ContractLine, ...]
    #: Their number, also if the contracts may not be read.
    active_count: int
    #: The plan, line by line.
    consequences: tuple[str, ...]
    proposal: Proposal
    unread: tuple[str, ...]
    #: For ROTATE, if the client has a secret.
    rotation: Rotation | None


async def what_if(session: Session, name: str, choice: Choice, root: Path) -> WhatIf:
    """Preview a change; ``root`` is the folder with the manifests. Raises CliError, KubeError."""
    subject = await read_subject(session, name)
    namespace = session.namespace
    live = await read_state(session, "the cluster", namespaces=[namespace], workloads_in=[namespace])
    rotates = choice is Choice.ROTATE and subject.client.spec.secret.issue
    return WhatIf(
        choice=choice,
        namespace=namespace,
        name=name,
        active=tuple(line for line in subject.contracts if line.name in subject.active),
        active_count=len(subject.active),
        consequences=await asyncio.to_thread(foresee, subject.raw, "ApiClient", _patch(subject, choice), live),
        proposal=await asyncio.to_thread(_proposal, subject, choice, root),
        unread=subject.unread,
        rotation=rotation(subject.client, live.workloads, session.now()) if rotates else None,
    )


def _patch(subject: Subject, choice: Choice) -> JsonObject | None:
    """The change as a merge patch; None: the client is deleted."""
    match choice:
        case Choice.DELETE:
            return None
        case Choice.ROTATE:
            return {"spec": {"secret": {"revision": _next_revision(subject)}}}
        case _:
            return spec_change(subject, _CHANGES[choice])


def _next_revision(subject: Subject) -> int:
    return subject.client.spec.secret.revision + 1


def _proposal(subject: Subject, choice: Choice, root: Path) -> Proposal:
    """The change in Git, or why there is none: the consequences are shown either way."""
    try:
        return _change(subject, choice, root)
    except CliError as error:
        return Proposal(str(error), "")


def _change(subject: Subject, choice: Choice, root: Path) -> Proposal:
    match choice:
        case Choice.DELETE:
            return _deletion(subject, root)
        case Choice.ROTATE:
            return _rotation(subject, root)
        case _:
            return proposal(subject, _CHANGES[choice], root)


def _rotation(subject: Subject, root: Path) -> Proposal:
    if not subject.client.spec.secret.issue:
        return Proposal("The client has no secret: spec.secret.issue is false.", "")
    revision = _next_revision(subject)
    otherwise: JsonObject = {"spec": {"secret": {"revision": revision}}}
    return proposed(subject.raw, root, lambda file: gitchange.revised(file, revision), otherwise)


def _deletion(subject: Subject, root: Path) -> Proposal:
    meta = subject.client.metadata
    found = gitchange.find(root, meta.namespace, meta.name)
    if len(found) != 1:
        return Proposal(f"{undeclared(subject.raw, root, found)} Delete what declares it in Git.", "")
    (declared,) = found
    if _documents(declared.text) > 1:
        return Proposal(f"Delete its document from {declared.path} in Git, and have it reviewed.", "")
    said = f"Delete {declared.path} in Git (this patch is for `git apply`), and have it reviewed:"
    return Proposal(said, gitchange.removal(declared).rstrip("\n"), tuple(declared.cautions))


def _documents(text: str) -> int:
    return sum(node is not None for node in yaml.compose_all(text, Loader=yaml.SafeLoader))
