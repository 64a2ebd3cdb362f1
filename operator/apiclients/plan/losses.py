"""What a change ends: contracts, and whether that is acknowledged; tokens, which nobody counts but the rules bound."""

from datetime import UTC, datetime, timedelta

from apiclients.lifecycle.access import (
    ClientContext,
    ClientView,
    TokenClaims,
    client_view,
    effective_not_before,
    issue_time,
    standing,
    token_end,
)
from apiclients.lifecycle.acknowledgement import client_desired_status, unacknowledged
from apiclients.lifecycle.effective import Effective
from apiclients.lifecycle.holds import HoldView
from apiclients.plan.changes import active
from apiclients.plan.model import Acknowledgement, TokenLoss
from apiclients.plan.world import World, key_of
from apiclients.resources.apiclient import DesiredStatus, ObservedStatus
from apiclients.resources.objects import Api, ApiClient
from apiclients.resources.refs import ObjectRef
from apiclients.resources.yaml_text import scalar


def client_acknowledgement(before: World, after: World, client: ApiClient, *, deleted: bool) -> Acknowledgement:
    """For the retirement or deletion of a client; ``client`` is it as head wants it, or as base had it when deleted."""
    name = ObjectRef("ApiClient", client.metadata.namespace, client.metadata.name)
    left = after.client(name.key)
    waits = left is not None and (deleted or left.status.desired_status is not DesiredStatus.RETIRED)
    if left is not None and waits:
        needed = set(after.counts_of_client(key_of(left)).active_names)
    else:
        needed = _ended_with(before, after, name)
    given = set(client.spec.retirement.acknowledged_contracts)
    missing = unacknowledged(client_desired_status(client), needed) if waits else ()
    return Acknowledgement(
        needed=tuple(sorted(needed)),
        needed_count=len(needed),
        given_count=len(needed) - len(missing),
        missing=missing,
        stale=tuple(sorted(given - needed)),
        complete=not missing,
        paste=_client_yaml(sorted(needed)) if missing else "",
    )


def api_acknowledgement(before: World, after: World, api: Api, *, waits: bool) -> Acknowledgement:
    """For the retirement or deletion of an Api, by count."""
    world = after if waits else before
    count = world.counts_of_api(key_of(api)).active
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


def _ended_with(before: World, after: World, name: ObjectRef) -> set[str]:
    """The contracts that were in force, that still name their client, and that its end ends."""
    found = set()
    for contract in before.contracts_of_client(name.key):
        left = after.contract((name.namespace, contract.metadata.name))
        if active(contract) and left is not None and left.spec.client_name == name.name:
            found.add(contract.metadata.name)
    return found


def _client_yaml(names: list[str]) -> str:
    lines = "".join(f"    - {scalar(name)}\n" for name in names)
    return f"spec:\n  retirement:\n    acknowledgedContracts:\n{lines}"


def token_loss(before: ApiClient, after: ApiClient | None, now: datetime) -> TokenLoss | None:
    """The tokens that die with a change, or None. Suspended ones do not die: they live on with the resumption."""
    seconds, longest = now.timestamp(), client_view(before).token_seconds
    newest = _newest_token(before, seconds)
    if newest is None:
        return None
    old = client_view(before)
    retirement = after.status.retirement if after is not None else None
    if after is None or after.metadata.uid != before.metadata.uid:
        return _loss(min(longest, token_end(old, newest) - seconds), now)
    if retirement is not None and before.status.desired_status is not DesiredStatus.RETIRED:
        return _loss(min(longest, token_end(old, newest) - seconds), max(now, retirement.final_time))
    return _loss(min(longest, _cut(old, client_view(after), newest, seconds)), now)


def _cut(old: ClientView, new: ClientView, newest: TokenClaims, now: float) -> float:
    """How many seconds of life ``tokens.notBefore`` and a shorter ``tokens.lifetime`` take at most."""
    dead_before = effective_not_before(new, now)
    lost = 0.0
    if dead_before > effective_not_before(old, now):
        latest = min(newest.issued_at, dead_before - 1)
        lost = token_end(old, _claims(old, latest)) - now
    shortened = token_end(old, newest) - max(now, token_end(new, newest))
    return max(lost, shortened)


def _newest_token(client: ApiClient, now: float) -> TokenClaims | None:
    """The youngest token that there can be; None where none was ever issued."""
    view = client_view(client)
    if view.not_before is None or client.status.last_credential_id is None:
        return None
    if standing(view, now, _context_of(client)) is Effective.AVAILABLE:
        return _claims(view, issue_time(view, now))
    return _claims(view, min(int(now), _last_available(client, now)))


def _context_of(client: ApiClient) -> ClientContext:
    """What else the gate would know of the client, by its status."""
    meta, status = client.metadata, client.status
    ends = [(hold.name, hold.expires_time) for hold in status.holds]
    return ClientContext(
        holds=tuple(
            HoldView(meta.namespace, name, meta.name, None, end.timestamp() if end is not None else None)
            for name, end in ends
        ),
        active_contracts=frozenset(status.contracts.active_names if status.contracts is not None else ()),
    )


def _last_available(client: ApiClient, now: float) -> int:
    """When the client last left Available, as its history tells; the present where it does not."""
    left = [t.time.timestamp() for t in client.status.history if t.from_status == ObservedStatus.AVAILABLE]
    return int(max(left)) if left else int(now)


def _claims(view: ClientView, issued_at: int) -> TokenClaims:
    return TokenClaims(view.uid, issued_at, issued_at + view.token_seconds)


def _loss(seconds: float, final_time: datetime) -> TokenLoss | None:
    if seconds <= 0:
        return None
    return TokenLoss(timedelta(seconds=round(seconds)), final_time.astimezone(UTC))
