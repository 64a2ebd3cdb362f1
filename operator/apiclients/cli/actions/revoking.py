"""Ends what was issued until now, by ``spec.secret.notBefore``; the operator issues a new secret as soon as it may."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.cli.actions.targets import still_there
from apiclients.cli.cluster.absent import why_absent
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.names import FIELD_MANAGER
from apiclients.cli.cluster.problems import sentence
from apiclients.cli.errors import CliError
from apiclients.cli.screens.output import title
from apiclients.cli.screens.printing import warn
from apiclients.cli.screens.text import write
from apiclients.kube.errors import KubeError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.credentials import current, older_than
from apiclients.lifecycle.timing import next_second
from apiclients.resources.apiclient import ApiClientStatus, ObservedStatus
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient, InvalidObjectError

_POLL_SECONDS = 0.2
#: Nothing is issued under these, so the new secret waits.
_STOPPED = (ObservedStatus.SUSPENDED, ObservedStatus.RETIRED)


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was asked for one client."""

    namespace: str
    name: str
    uid: str
    #: What was issued before it is refused.
    before: datetime


async def revoke(session: Session, clients: Sequence[JsonObject], absent: Sequence[str], args: Any) -> bool:
    """Revoke what clients hold, and wait if asked to. Returns whether something failed."""
    for name in absent:
        print(f"error: {await why_absent(session, name)}", file=sys.stderr)
    asked, failed = [], bool(absent)
    for raw in clients:
        revocation = await _ask(session, raw, args)
        failed = failed or revocation is None
        asked += [revocation] if revocation is not None else []
    if args.wait and args.dry_run == "none":
        end = time.monotonic() + args.timeout.total_seconds()
        for revocation in asked:
            failed = not await _settled(session, revocation, end) or failed
    return failed


def git_owner(client: JsonObject) -> str | None:
    """Another field manager that applies ``spec.secret.notBefore``, and would set it back."""
    for entry in client["metadata"].get("managedFields") or []:
        secret = ((entry.get("fieldsV1") or {}).get("f:spec") or {}).get("f:secret") or {}
        manager = str(entry.get("manager") or "")
        if "f:notBefore" in secret and entry.get("operation") == "Apply" and manager != FIELD_MANAGER:
            return manager
    return None


def merge_patch(revocation: Revocation) -> JsonObject:
    """The change of the client, and of no other one of its name."""
    return {
        "metadata": {"uid": revocation.uid},
        "spec": {"secret": {"notBefore": format_time(revocation.before)}},
    }


async def _ask(session: Session, raw: JsonObject, args: argparse.Namespace) -> Revocation | None:
    meta = raw["metadata"]
    revocation = Revocation(meta["namespace"], meta["name"], meta["uid"], next_second(session.now()))
    owner = git_owner(raw)
    if owner is not None:
        warn(
            [
                f"{owner} applies spec.secret.notBefore of {revocation.name} from Git and will set it back: set "
                f'"{format_time(revocation.before)}" there too. What has ended by then stays ended'
            ]
        )
    try:
        if args.dry_run != "client":
            body, dry = merge_patch(revocation), args.dry_run == "server"
            await session.patch(API_CLIENTS, revocation.namespace, revocation.name, body, dry_run=dry)
    except KubeError as error:
        print(f"error: nothing of {revocation.name} is revoked: {sentence(error)}", file=sys.stderr)
        return None
    suffix = "" if args.dry_run == "none" else f" ({args.dry_run} dry run)"
    write(
        sys.stdout,
        f"{title(API_CLIENTS, revocation.name)} revoked: every secret and token issued before "
        f"{format_time(revocation.before)} is refused for good{suffix}",
    )
    if (raw.get("status") or {}).get("observedStatus") in _STOPPED:
        warn([f"{revocation.name} is stopped: its new secret comes once it is available again"])
    return revocation


async def _settled(session: Session, revocation: Revocation, end: float) -> bool:
    """Wait until status says so; whether it did in time."""
    name, label = revocation.name, title(API_CLIENTS, revocation.name)
    started = time.monotonic()
    while True:
        try:
            status = await _status(session, revocation)
        except CliError as error:
            print(f"error: {error}: nothing of it is valid any more", file=sys.stderr)
            return False
        if status is not None and is_revoked(status, revocation.before, session.now()):
            write(sys.stdout, f"{label} {_outcome(status, revocation)} after {time.monotonic() - started:.1f} s")
            return True
        if time.monotonic() >= end:
            print(
                f"error: status of {name} does not say so yet. Gates refuse all the same; see "
                f"`kubectl apiclient explain {name} -n {revocation.namespace}`",
                file=sys.stderr,
            )
            return False
        await asyncio.sleep(_POLL_SECONDS)


def _outcome(status: ApiClientStatus, revocation: Revocation) -> str:
    known = current(status.credentials)
    if known is None or known.issued_time < revocation.before:
        return "has no valid secret"
    return f"has only credential #{known.id}, valid until {format_time(known.expires_time)},"


async def _status(session: Session, revocation: Revocation) -> ApiClientStatus | None:
    """The status of this client; None while it cannot be read. Raises CliError once it has gone, and KubeError."""
    raw = await still_there(session, revocation.namespace, revocation.name, revocation.uid)
    try:
        return ApiClient.from_object(raw).status
    except InvalidObjectError:
        return None


def is_revoked(status: ApiClientStatus, before: datetime, now: datetime) -> bool:
    """Whether status says that nothing from before is valid, and that a new secret is there where one is to come."""
    if status.tokens is None or status.tokens.not_before < before or older_than(status.credentials, before, now):
        return False
    known = current(status.credentials)
    return status.observed_status in _STOPPED or (known is not None and known.issued_time >= before)
