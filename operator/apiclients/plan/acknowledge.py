"""Whether what a change ends is acknowledged, and the YAML to paste where it is not."""

from apiclients.lifecycle.acknowledgement import client_wish, unacknowledged
from apiclients.plan.model import Acknowledgement, ObjectId
from apiclients.plan.outcome import active
from apiclients.plan.settle import api_counts, contracts_of
from apiclients.plan.world import World
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.objects import Api, ApiClient


def for_client(before: World, after: World, client: ApiClient, *, deleted: bool) -> Acknowledgement:
    """For the retirement or deletion of a client; ``client`` is it as head wants it, or as base had it when deleted."""
    name = ObjectId("ApiClient", client.metadata.namespace, client.metadata.name)
    left = after.client(name.key)
    waits = left is not None and (deleted or left.status.desired_status is not DesiredStatus.RETIRED)
    if left is not None and waits:
        needed = set(contracts_of(after, left).active_names)
    else:
        needed = _ended_with(before, after, name)
    given = set(client.spec.retirement.acknowledged_contracts)
    missing = unacknowledged(client_wish(client), needed) if waits else ()
    return Acknowledgement(
        needed=tuple(sorted(needed)),
        needed_count=len(needed),
        given_count=len(needed) - len(missing),
        missing=missing,
        stale=tuple(sorted(given - needed)),
        complete=not missing,
        paste=_client_yaml(sorted(needed)) if missing else "",
    )


def for_api(before: World, after: World, api: Api, *, waits: bool) -> Acknowledgement:
    """For the retirement or deletion of an Api, by count."""
    world = after if waits else before
    count = api_counts(world, api).active
    given = api.spec.retirement.acknowledged_contract_count
    return Acknowledgement(
        needed=(),
        needed_count=count,
        given_count=min(given, count),
        missing=(),
        stale=(),
        complete=not waits,
        paste=f"spec:\n  retirement:\n    acknowledgedContractCount: {count}\n" if waits else "",
    )


def _ended_with(before: World, after: World, name: ObjectId) -> set[str]:
    """The contracts that were in force, that still name their client, and that its end ends."""
    found = set()
    for contract in before.contracts_of_client(name.key):
        left = after.contract((name.namespace, contract.metadata.name))
        if active(contract) and left is not None and left.spec.client_name == name.name:
            found.add(contract.metadata.name)
    return found


def _client_yaml(names: list[str]) -> str:
    lines = "".join(f"    - {name}\n" for name in names)
    return f"spec:\n  retirement:\n    acknowledgedContracts:\n{lines}"
