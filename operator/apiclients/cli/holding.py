"""Places holds, and waits until the gate has them."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from apiclients.cli.connection import Session
from apiclients.cli.listing import warn
from apiclients.cli.output import render_data, title
from apiclients.cli.problems import sentence
from apiclients.cli.replicas import Reached, until_held
from apiclients.cli.text import write
from apiclients.kube.errors import KubeError
from apiclients.kube.kinds import API_CLIENT_HOLDS
from apiclients.kube.objects import JsonObject
from apiclients.resources.fields import format_time
from apiclients.resources.names import API_VERSION

#: The API server adds five characters, and names of the project's kinds have at most 63.
_LONGEST_PREFIX = 57


def hold_object(client: str, reason: str, lasting: timedelta | None, now: datetime) -> JsonObject:
    """The hold that stops one client by name, to be created."""
    spec: JsonObject = {"clientName": client, "reason": reason}
    if lasting is not None:
        spec["expiresTime"] = format_time(now + lasting)
    metadata = {"generateName": client[:_LONGEST_PREFIX].rstrip("-.") + "-"}
    return {"apiVersion": API_VERSION, "kind": "ApiClientHold", "metadata": metadata, "spec": spec}


async def place_holds(session: Session, holds: Sequence[JsonObject], args: argparse.Namespace) -> bool:
    """Create holds, one failing not keeping the rest back, and wait if asked to. Returns whether something failed."""
    if args.dry_run == "client":
        placed = [{**hold, "metadata": {**hold["metadata"], "namespace": session.namespace}} for hold in holds]
        write(sys.stdout, "---\n".join(render_data(hold, "yaml") for hold in placed).rstrip("\n"))
        return False
    failed, latest = False, 0
    for hold in holds:
        client = hold["spec"]["clientName"]
        try:
            made = await session.create(API_CLIENT_HOLDS, session.namespace, hold, dry_run=args.dry_run == "server")
        except KubeError as error:
            failed = True
            print(f"error: {client} is not held: {sentence(error)}", file=sys.stderr)
            continue
        latest = max(latest, int(made["metadata"].get("resourceVersion") or 0))
        suffix = " (server dry run)" if args.dry_run == "server" else ""
        write(sys.stdout, f"{title(API_CLIENT_HOLDS, made['metadata']['name'])} created: {client} is held{suffix}")
    if args.wait and latest and args.dry_run == "none":
        reached = await until_held(session, args.system_namespace, latest, args.timeout)
        return _told(reached) or failed
    return failed


def _told(reached: Reached) -> bool:
    """Say how the wait ended; whether it failed."""
    silent = [f"{name} has let its Lease end: it is gone, or it refuses everything by now" for name in reached.silent]
    if reached.behind:
        warn(silent)
        missing = ", ".join(reached.behind)
        print(
            f"error: not confirmed within {reached.seconds:.0f} s by: {missing}. The hold is in place; "
            "see `kubectl apiclient doctor`",
            file=sys.stderr,
        )
        return True
    warn(silent)
    write(
        sys.stdout, f"applied by {len(reached.reached)} of {len(reached.reached)} gates after {reached.seconds:.1f} s"
    )
    return False
