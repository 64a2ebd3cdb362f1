"""What to say of a client that is not there: perhaps another name was meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from apiclients.cli.cluster.connection import Session
from apiclients.kube.errors import KubeError
from apiclients.kube.kinds import API_CLIENTS

_MOST = 3


def meant(name: str, known: Iterable[str]) -> list[str]:
    """The names that somebody who typed ``name`` may have meant, the likeliest first."""
    names = sorted(known)
    begun = [one for one in names if one.startswith(f"{name.lower()}-") or one == name.lower()]
    return (begun or get_close_matches(name.lower(), names))[:_MOST]


def nothing_named(name: str, namespace: str, known: Iterable[str]) -> str:
    """The sentence for a client that is not there."""
    guesses = meant(name, known)
    hint = f"Did you mean {' or '.join(guesses)}?" if guesses else f"{_listing(namespace)} lists those that are there"
    return f"there is no ApiClient {name} in namespace {namespace}. {hint}"


async def why_absent(session: Session, name: str) -> str:
    """The same, after a look at what is there, where that is allowed."""
    try:
        found = await session.objects(API_CLIENTS, session.namespace, metadata_only=True)
    except KubeError:
        found = []
    return nothing_named(name, session.namespace, [obj["metadata"]["name"] for obj in found])


def _listing(namespace: str) -> str:
    return f"`kubectl apiclient get -n {namespace}`"
