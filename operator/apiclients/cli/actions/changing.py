"""Changes of ``spec.desiredStatus``: shown as what to change in Git, or, with ``--live``, made in the cluster."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apiclients.cli.actions.asking import terminal
from apiclients.cli.actions.enforcing import wait_enforced
from apiclients.cli.actions.proposing import StatusChange, Subject, acknowledged, proposal, read_subject, spec_change
from apiclients.cli.cluster.connection import Session, connect
from apiclients.cli.cluster.names import FIELD_MANAGER
from apiclients.cli.errors import CliError
from apiclients.cli.screens.output import render_data, title
from apiclients.cli.screens.printing import warn
from apiclients.cli.screens.text import joined, table, write
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import JsonObject
from apiclients.plan.values import counted
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.objects import ApiClient


async def change(args: argparse.Namespace, what: StatusChange, ask: Callable[[str], str] | None = None) -> int:
    """Show or make the change. ``ask`` asks a person; default: on the terminal, if there is one."""
    if args.wait and not args.live:
        raise CliError("--wait is for a change that is made now: give --live too, or leave it out")
    async with connect(args) as session:
        subject = await read_subject(session, args.name)
        warn(subject.unread)
        _show_contracts(subject, what)
        if not args.live:
            _print_change(subject, what, args.filename)
            return 0
        return await _make(session, subject, what, args, ask or terminal())


def _show_contracts(subject: Subject, what: StatusChange) -> None:
    """On standard error: what is at stake, for whoever decides."""
    holds = ", ".join(hold.name for hold in subject.client.status.holds)
    if holds and what.desired is DesiredStatus.AVAILABLE:
        warn([f"it stays stopped, by hold {holds}: see `kubectl apiclient release`"])
    if not subject.active:
        print(f"{subject.client.metadata.name} has no active contracts.", file=sys.stderr)
        return
    rows = [("CONTRACT", "API", "PLAN")]
    rows += [
        (line.name, line.api, line.plan_in_force or line.plan)
        for line in subject.contracts
        if line.name in subject.active
    ]
    print(f"{what.meaning.format(contracts=counted(len(subject.active), 'active contract'))}", file=sys.stderr)
    write(sys.stderr, joined(table(rows, indent="  ")))


def _print_change(subject: Subject, what: StatusChange, root: Path) -> None:
    made = proposal(subject, what, root)
    warn(made.cautions)
    print(made.said, file=sys.stderr)
    if made.text:
        write(sys.stdout, made.text)


def git_owner(raw: JsonObject) -> str | None:
    """The field manager that applies ``spec.desiredStatus``, and would set it back."""
    for entry in raw["metadata"].get("managedFields") or []:
        spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        ours = entry.get("manager") == FIELD_MANAGER
        if "f:desiredStatus" in spec and entry.get("operation") == "Apply" and not ours:
            return str(entry.get("manager"))
    return None


async def _make(
    session: Session, subject: Subject, what: StatusChange, args: argparse.Namespace, ask: Callable[[str], str] | None
) -> int:
    client, label = subject.client, title(API_CLIENTS, subject.client.metadata.name)
    unacknowledged = set(acknowledged(subject, what)) - set(client.spec.retirement.acknowledged_contracts)
    if client.spec.desired_status is what.desired and not unacknowledged:
        write(sys.stdout, f"{label} unchanged: spec.desiredStatus is {what.desired} already")
        return await _waited(session, subject.raw, args)
    owner = git_owner(subject.raw)
    if owner is not None:
        warn([f"{owner} applies spec.desiredStatus from Git and will set it back: change it there too, or use hold"])
    if args.dry_run == "client":
        write(sys.stdout, render_data(spec_change(subject, what), "yaml").rstrip("\n"))
        return 0
    dry = args.dry_run == "server"
    if not dry:
        _confirm(subject, what, args, ask)
    body = {"metadata": _exactly(client), **spec_change(subject, what)}
    made = await session.patch(API_CLIENTS, client.metadata.namespace, client.metadata.name, body, dry_run=dry)
    write(sys.stdout, f"{label} {what.past}{' (server dry run)' if dry else ''}")
    return await _waited(session, made, args)


async def _waited(session: Session, made: JsonObject, args: argparse.Namespace) -> int:
    """Wait, if asked to, until every gate obeys what was made; the exit status."""
    if not args.wait or args.dry_run != "none":
        return 0
    meta = made["metadata"]
    return int(await wait_enforced(session, meta["name"], meta["generation"], args.timeout))


def _exactly(client: ApiClient) -> dict[str, Any]:
    """What was shown is what is changed: when something came in between, the API server refuses."""
    return {"uid": client.metadata.uid, "resourceVersion": client.metadata.resource_version}


def _confirm(subject: Subject, what: StatusChange, args: argparse.Namespace, ask: Callable[[str], str] | None) -> None:
    name = subject.client.metadata.name
    if args.acknowledge is not None:
        missing = sorted(set(subject.active) - set(args.acknowledge))
        if missing:
            raise CliError(
                f"--acknowledge does not name {', '.join(missing)}: nothing was changed. "
                f"Name all active contracts: --acknowledge '{','.join(subject.active)}'"
            )
        return
    if ask is None:
        names = ",".join(subject.active)
        raise CliError(f"there is no terminal to ask on: to {what.verb} {name}, give --acknowledge '{names}'")
    if ask(f"To {what.verb} it now, type its name ({name}): ").strip() != name:
        raise CliError("that is not its name: nothing was changed")
