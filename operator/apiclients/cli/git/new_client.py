"""A new client with its contracts, as YAML for Git. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from apiclients.cli.errors import CliError
from apiclients.cli.git.names import fitting, is_name
from apiclients.kube.objects import JsonObject
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import ApiClient, Contract, InvalidObjectError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plan of an Api that the client is to use."""

    namespace: str
    api: str
    plan: str


@dataclass(frozen=True, slots=True)
class NewClient:
    """What a person says about it; None and "" are left out."""

    namespace: str
    name: str
    client: str | None = None
    version: str | None = None
    display_name: str | None = None
    owner: str | None = None
    secret_name: str | None = None
    contracts: tuple[Wanted, ...] = ()


def wanted(text: str) -> Wanted:
    """``NAMESPACE/API:PLAN``. Raises CliError."""
    found = re.fullmatch(r"([^/:]+)/([^/:]+):([^/:]+)", text)
    if found is None:
        raise CliError(f"--contract {text} is not NAMESPACE/API:PLAN; use e.g. shop/orders:basic")
    return Wanted(*found.groups())


def new_client(new: NewClient) -> list[JsonObject]:
    """The client, and a contract for each plan. Raises CliError for what cannot be."""
    spec: JsonObject = {"desiredStatus": str(DesiredStatus.AVAILABLE)}
    given = {
        "client": new.client,
        "version": new.version,
        "displayName": new.display_name,
        "owner": new.owner,
        "secret": {"name": new.secret_name} if new.secret_name else None,
    }
    spec |= {field: value for field, value in given.items() if value}
    client = _object("ApiClient", new.namespace, new.name, spec)
    contracts = [_contract(new, one) for one in new.contracts]
    _check(client, contracts)
    return [client, *contracts]


def _contract(new: NewClient, wanted: Wanted) -> JsonObject:
    name = fitting(f"{new.name}-{wanted.api}")
    api = {"namespace": wanted.namespace, "name": wanted.api}
    return _object("Contract", new.namespace, name, {"clientName": new.name, "api": api, "plan": wanted.plan})


def _object(kind: str, namespace: str, name: str, spec: JsonObject) -> JsonObject:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _check(client: JsonObject, contracts: Iterable[JsonObject]) -> None:
    """What the API server would refuse is refused here."""
    if not is_name(client["metadata"]["name"]):
        raise CliError(f"{client['metadata']['name']!r} cannot be the name of a client; use e.g. billing-1.0")
    names = [contract["metadata"]["name"] for contract in contracts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CliError(f"two contracts would be called {', '.join(twice)}: a client has one contract with an Api")
    for obj in (client, *contracts):
        try:
            (ApiClient if obj is client else Contract).from_object(as_stored(obj))
        except InvalidObjectError as error:
            raise CliError(f"{obj['kind']} {obj['metadata']['name']}: {error}") from None


def as_stored(obj: JsonObject) -> JsonObject:
    """The object with what the API server adds to its metadata, as far as decisions look at it."""
    return {**obj, "metadata": {**obj["metadata"], "uid": "new", "generation": 1}}
