"""Waits until the operator says of a client that every living gate obeys: its condition Enforced (DESIGN rule 28)."""

import asyncio
import sys
import time
from datetime import timedelta

from apiclients.cli.cluster.connection import Session
from apiclients.cli.errors import CliError
from apiclients.cli.screens.contracts import condition
from apiclients.cli.screens.text import write
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.resources.conditions import Condition, ConditionType
from apiclients.resources.objects import ApiClient, InvalidObjectError

_POLL_SECONDS = 0.2


async def wait_enforced(
    session: Session,
    name: str,
    generation: int,
    timeout: timedelta,  # noqa: ASYNC109 - reported, not raised
    *,
    hold: str | None = None,
) -> bool:
    """Wait for a client's generation, and where one is named for a hold; say how it ended and return whether it failed.

    Raises CliError for a client that is not there or that this version cannot read, and KubeError.
    """
    end = time.monotonic() + timeout.total_seconds()
    while True:
        client = await _read(session, name)
        told = _told(client, generation, hold)
        if told is not None and told.status == "True":
            write(sys.stdout, f"enforced: {told.message}")
            return False
        if time.monotonic() >= end:
            why = told.message if told is not None else "The operator has not looked at it yet."
            print(
                f"error: not enforced within {timeout.total_seconds():.0f} s: {why} The change is made; see "
                f"`kubectl apiclient status {name}` and `kubectl apiclient doctor`",
                file=sys.stderr,
            )
            return True
        await asyncio.sleep(_POLL_SECONDS)


async def _read(session: Session, name: str) -> ApiClient:
    try:
        return ApiClient.from_object(await session.kube.get(API_CLIENTS, session.namespace, name))
    except NotFoundError:
        raise CliError(f"{name} is gone: whatever it had is refused") from None
    except InvalidObjectError as error:
        raise CliError(f"{name} cannot be read by this version of the plugin: {error}") from None


def _told(client: ApiClient, generation: int, hold: str | None) -> Condition | None:
    """The condition, once it speaks of the change."""
    told = condition(client.status.conditions, ConditionType.ENFORCED)
    if told is None or (told.observed_generation or 0) < generation:
        return None
    known = hold is None or hold in (one.name for one in client.status.holds)
    return told if known else None
