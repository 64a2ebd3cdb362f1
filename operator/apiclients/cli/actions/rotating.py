"""Requests for rotation: one annotation, and the operator's echo in status."""

import argparse
import asyncio
import secrets
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
from apiclients.resources.fields import format_time
from apiclients.resources.names import ROTATE_REQUESTED_ANNOTATION

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """A request for the rotation of one client."""

    namespace: str
    name: str
    uid: str
    token: str
    #: It was there before and has not been answered yet.
    known: bool = False


async def rotate(session: Session, clients: Sequence[JsonObject], absent: Sequence[str], args: Any) -> bool:
    """Ask for the rotation of clients and wait if asked to. Returns whether something failed."""
    for name in absent:
        print(f"error: {await why_absent(session, name)}", file=sys.stderr)
    token = args.request or new_token(session.now())
    requests, failed = [], bool(absent)
    for client in clients:
        request = await _ask(session, client, token, args)
        failed = failed or request is None
        requests += [request] if request is not None else []
    if args.wait and args.dry_run == "none":
        failed = not await _answered(session, requests, args) or failed
    return failed


def new_token(now: datetime) -> str:
    """A token that no earlier request bore; whoever reads it sees when it was."""
    return f"{format_time(now)}-{secrets.token_hex(3)}"


def request_for(client: JsonObject, token: str, *, named: bool) -> Request:
    """The request to make for a client: the one that is still unanswered, unless another one is ``named``."""
    meta = client["metadata"]
    present = (meta.get("annotations") or {}).get(ROTATE_REQUESTED_ANNOTATION)
    answered = (client.get("status") or {}).get("lastHandledRotateRequest")
    place = (meta["namespace"], meta["name"], meta["uid"])
    if present and present != answered and not named:
        return Request(*place, present, known=True)
    return Request(*place, token, known=present == token)


def annotation_owner(client: JsonObject) -> str | None:
    """Another field manager that owns the annotation by server-side apply: it would write its own value again."""
    for entry in client["metadata"].get("managedFields") or []:
        owned = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
        if f"f:{ROTATE_REQUESTED_ANNOTATION}" in owned and entry.get("operation") == "Apply":
            manager = str(entry.get("manager") or "")
            if manager != FIELD_MANAGER:
                return manager
    return None


async def _ask(session: Session, client: JsonObject, token: str, args: argparse.Namespace) -> Request | None:
    request = request_for(client, token, named=args.request is not None)
    label = title(API_CLIENTS, request.name)
    if request.known:
        write(sys.stdout, f"{label} unchanged: rotation was requested before ({request.token})")
        return request
    owner = annotation_owner(client)
    if owner is not None:
        print(
            f"error: {request.name} is not rotated: {owner} applies the annotation {ROTATE_REQUESTED_ANNOTATION} "
            "from Git and would write its own value again. Change it there, or take it out",
            file=sys.stderr,
        )
        return None
    suffix = "" if args.dry_run == "none" else f" ({args.dry_run} dry run)"
    body = {"metadata": {"uid": request.uid, "annotations": {ROTATE_REQUESTED_ANNOTATION: request.token}}}
    try:
        if args.dry_run != "client":
            dry = args.dry_run == "server"
            await session.patch(API_CLIENTS, request.namespace, request.name, body, dry_run=dry)
    except KubeError as error:
        print(f"error: {request.name} is not rotated: {sentence(error)}", file=sys.stderr)
        return None
    write(sys.stdout, f"{label} rotation requested ({request.token}){suffix}")
    _warn_if_waiting(client)
    return request


def _warn_if_waiting(client: JsonObject) -> None:
    status = (client.get("status") or {}).get("observedStatus")
    if status in ("Suspended", "Retired"):
        name = client["metadata"]["name"]
        warn([f"{name} is {status}: it is rotated once it is available again"])


async def _answered(session: Session, requests: Sequence[Request], args: argparse.Namespace) -> bool:
    """Wait until each request is answered; whether all are."""
    started, all_answered = time.monotonic(), True
    for request in requests:
        end = started + args.timeout.total_seconds()
        try:
            status = await _echo(session, request, end)
        except CliError as error:
            all_answered = False
            print(f"error: {error}: it was not rotated", file=sys.stderr)
            continue
        seconds = time.monotonic() - started
        if status is None:
            all_answered = False
            print(
                f"error: {request.name} was not rotated within {seconds:.0f} s. "
                f"See `kubectl apiclient explain {request.name} -n {request.namespace}`",
                file=sys.stderr,
            )
            continue
        how = "was rotated" if request.known else f"rotated after {seconds:.1f} s"
        write(sys.stdout, f"{title(API_CLIENTS, request.name)} {how}{_credential(status)}")
    return all_answered


async def _echo(session: Session, request: Request, end: float) -> JsonObject | None:
    """The status that answers a request; None when it does not come in time. Raises CliError, KubeError."""
    while True:
        client = await still_there(session, request.namespace, request.name, request.uid)
        status: JsonObject = client.get("status") or {}
        if status.get("lastHandledRotateRequest") == request.token:
            return status
        if time.monotonic() >= end:
            return None
        await asyncio.sleep(_POLL_SECONDS)


def _credential(status: JsonObject) -> str:
    current = next((c for c in status.get("credentials") or [] if c.get("state") == "Current"), None)
    if current is None:
        return ""
    return f": credential #{current['id']}, valid until {current['expiresTime']}"
