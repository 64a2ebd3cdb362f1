"""Credentials from before a hold that still work, or will once it is released: whoever had one then has it still."""

from collections.abc import Sequence
from datetime import datetime

from apiclients.lifecycle.credentials import perhaps_older_than
from apiclients.lifecycle.observation import Observed
from apiclients.resources.apiclient import Credential, CredentialState
from apiclients.resources.conditions import Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient, ApiClientHold


def works_again(client: ApiClient, holds: Sequence[ApiClientHold], now: datetime) -> list[Credential]:
    """Those that may be older than the youngest of these holds and will be accepted once they are gone."""
    placed = [hold.metadata.creation_time for hold in holds if hold.metadata.creation_time is not None]
    return perhaps_older_than(client.status.credentials, max(placed), now) if placed else []


def works_still(client: ApiClient, now: datetime) -> list[Credential]:
    """Those that a rotation since the last hold has left valid for the overlap."""
    held = next((t.time for t in client.status.history if t.reason == Reason.HELD), None)
    if held is None:
        return []
    older = perhaps_older_than(client.status.credentials, held, now)
    return [c for c in older if c.state is CredentialState.PREVIOUS]


def survivors(client: ApiClient, seen: Observed, holds: Sequence[ApiClientHold], now: datetime) -> list[Credential]:
    """The ones to warn about: while a hold stops the client, or after it. ``holds`` are those that stop it."""
    return works_again(client, holds, now) if seen.holds else works_still(client, now)


def sentence(credentials: Sequence[Credential], *, held: bool) -> str:
    """What is still valid, and until when."""
    numbers = " and ".join(f"#{c.id}" for c in sorted(credentials, key=lambda c: c.id))
    end = format_time(max(c.expires_time for c in credentials))
    subject, verb = (f"Credential {numbers}", "is") if len(credentials) == 1 else (f"Credentials {numbers}", "are")
    again = "accepted again once nothing stops the client" if held else "still accepted, in the overlap of a rotation"
    return f"{subject} from before the hold {verb} {again} (until {end} at the latest)"


def command(client: ApiClient) -> str:
    """What ends them."""
    return f"kubectl apiclient rotate {client.metadata.name} -n {client.metadata.namespace} --revoke-previous"


def snippet(client: ApiClient, now: datetime) -> tuple[str, ...]:
    """The command, and the same for Git."""
    return (command(client), "", "spec:", "  secret:", f'    notBefore: "{format_time(now)}"')
