"""Places holds, and waits until the gate has them."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from apiclients.cli.actions.enforcing import wait_enforced
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.names import USER_REVIEWS
from apiclients.cli.cluster.problems import sentence
from apiclients.cli.cluster.replicas import Reached, UnconfirmedError, until_held
from apiclients.cli.errors import CliError
from apiclients.cli.screens.output import render_data, title
from apiclients.cli.screens.printing import warn
from apiclients.cli.screens.text import age, write
from apiclients.kube.errors import AlreadyExistsError, ForbiddenError, KubeError
from apiclients.kube.kinds import API_CLIENT_HOLDS
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.features import NO_FEATURES, features_used
from apiclients.resources.fields import format_time
from apiclients.resources.names import API_VERSION, CREATED_BY_ANNOTATION
from apiclients.resources.objects import ApiClientHold

#: The API server adds five characters, and names of the project's kinds have at most 63.
_LONGEST_PREFIX = 57


#: An emergency stop does not wait long for the answer to who asks for it.
_AUTHOR_SECONDS = 2.0


def hold_object(
    client: str | None, reason: str, lasting: timedelta | None, now: datetime, author: str | None = None
) -> JsonObject:
    """The hold that stops one client by name, None for all of the namespace, to be created.

    ``author`` is the user as the API server knows him, or None; a policy refuses any other name.
    All are stopped by the empty selector, which means the same as allClients and is obeyed by gates that are older.
    A hold of one client has the client's name: gates verify that there is none (rule 17) while they let it pass.
    """
    whom: JsonObject = {"selector": {}} if client is None else {"clientName": client}
    spec: JsonObject = {**whom, "reason": reason}
    if lasting is not None:
        spec["expiresTime"] = format_time(now + lasting)
    metadata: JsonObject = {"name": client} if client is not None else {"generateName": "all-clients-"}
    if author is not None:
        metadata["annotations"] = {CREATED_BY_ANNOTATION: author}
    return {"apiVersion": API_VERSION, "kind": "ApiClientHold", "metadata": metadata, "spec": spec}


def under_another_name(hold: JsonObject) -> JsonObject:
    """The same hold, for when there is one of that name already."""
    metadata = dict(hold["metadata"])
    prefix = metadata.pop("name")[:_LONGEST_PREFIX].rstrip("-.") + "-"
    return {**hold, "metadata": {"generateName": prefix, **metadata}}


async def user_name(session: Session) -> str | None:
    """Who asks, as the API server knows him; None where it does not say so in time."""
    body = {"apiVersion": USER_REVIEWS.api_version, "kind": USER_REVIEWS.kind, "metadata": {}}
    try:
        async with asyncio.timeout(_AUTHOR_SECONDS):
            answer = await session.create(USER_REVIEWS, None, body)
    except (KubeError, TimeoutError):
        return None
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "") or None


async def place_holds(session: Session, holds: Sequence[JsonObject], args: argparse.Namespace) -> bool:
    """Create holds, one failing not keeping the rest back, and wait if asked to. Returns whether something failed."""
    if args.dry_run == "client":
        placed = [{**hold, "metadata": {**hold["metadata"], "namespace": session.namespace}} for hold in holds]
        write(sys.stdout, "---\n".join(render_data(hold, "yaml") for hold in placed).rstrip("\n"))
        return False
    failed, latest = False, 0
    held: dict[str, str] = {}
    for hold in holds:
        client = hold["spec"].get("clientName") or f"every client in {session.namespace}"
        try:
            made = await _create(session, hold, dry_run=args.dry_run == "server")
        except KubeError as error:
            failed = True
            print(f"error: {client} is not held: {sentence(error)}", file=sys.stderr)
            continue
        if hold["spec"].get("clientName"):
            held[client] = made["metadata"]["name"]
        latest = max(latest, int(made["metadata"].get("resourceVersion") or 0))
        suffix = " (server dry run)" if args.dry_run == "server" else ""
        write(sys.stdout, f"{title(API_CLIENT_HOLDS, made['metadata']['name'])} created: {client} is held{suffix}")
    if args.wait and latest and args.dry_run == "none":
        return await _confirmed(session, latest, held, args) or failed
    return failed


async def _create(session: Session, hold: JsonObject, *, dry_run: bool) -> JsonObject:
    try:
        return await session.create(API_CLIENT_HOLDS, session.namespace, hold, dry_run=dry_run)
    except AlreadyExistsError:
        other = under_another_name(hold)
        return await session.create(API_CLIENT_HOLDS, session.namespace, other, dry_run=dry_run)


async def check_holds(session: Session, holds: Sequence[ApiClientHold], args: argparse.Namespace) -> bool:
    """Whether any gate has not applied these holds, which are there already; says which."""
    for hold in holds:
        author = hold.metadata.annotations.get(CREATED_BY_ANNOTATION, "somebody unknown")
        placed = f"placed by {author} {age(hold.metadata.creation_time, session.now())} ago"
        write(sys.stdout, f"{title(API_CLIENT_HOLDS, hold.metadata.name)} {placed}: {hold.spec.reason}")
    latest = max(int(hold.metadata.resource_version or 0) for hold in holds)
    features = NO_FEATURES.union(*map(features_used, holds))
    timeout = args.timeout if args.wait else timedelta()
    try:
        reached = await until_held(session, args.system_namespace, latest, timeout, features)
    except UnconfirmedError as error:
        raise CliError(str(error)) from None
    return _report(reached)


async def _confirmed(
    session: Session, resource_version: int, held: Mapping[str, str], args: argparse.Namespace
) -> bool:
    """Wait until the gates have holds that were just placed; whether that failed.

    Their Leases tell, also while the operator is down. Who may not read them waits for what the operator says of each
    client, by ``held`` with the name of its hold. Who may read neither is only told so.
    """
    try:
        return _report(await until_held(session, args.system_namespace, resource_version, args.timeout))
    except UnconfirmedError as error:
        unconfirmed = str(error)
    if not held:
        warn([unconfirmed])
        return False
    try:
        found = [await wait_enforced(session, client, 0, args.timeout, hold=hold) for client, hold in held.items()]
    except ForbiddenError:
        warn([unconfirmed])
        return False
    return any(found)


def _report(reached: Reached) -> bool:
    """Say how the wait ended; whether it failed."""
    silent = [f"{name} has let its Lease end: it is gone, or it refuses everything by now" for name in reached.silent]
    if reached.behind:
        warn([*silent, *(f"{name} is too old to obey the hold: upgrade it" for name in reached.too_old)])
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
