"""Access tokens that a change ends. Nobody counts tokens; the rules of the gate bound how long one could have lived."""

from datetime import UTC, datetime, timedelta

from apiclients.lifecycle.access import (
    Beside,
    ClientView,
    TokenClaims,
    client_view,
    effective_not_before,
    issue_time,
    standing,
    token_end,
)
from apiclients.lifecycle.effective import Effective
from apiclients.lifecycle.holds import HoldView
from apiclients.plan.model import TokenLoss
from apiclients.resources.apiclient import DesiredStatus, ObservedStatus
from apiclients.resources.objects import ApiClient


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
    if standing(view, now, _beside(client)) is Effective.AVAILABLE:
        return _claims(view, issue_time(view, now))
    return _claims(view, min(int(now), _last_available(client, now)))


def _beside(client: ApiClient) -> Beside:
    """What the gate would know beside the client: its status tells."""
    meta, status = client.metadata, client.status
    ends = [(hold.name, hold.expires_time) for hold in status.holds]
    return Beside(
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
