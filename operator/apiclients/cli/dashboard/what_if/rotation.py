"""Previews a rotation: which secrets stay valid, and who uses them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.lifecycle.credentials import previous
from apiclients.lifecycle.timing import overlap
from apiclients.plan.live import Workload
from apiclients.resources.apiclient import Credential, ObservedStatus
from apiclients.resources.objects import ApiClient

#: A rotation waits while the client has one of these statuses.
_WAITS = (ObservedStatus.SUSPENDED, ObservedStatus.RETIRED)


@dataclass(frozen=True, slots=True)
class SecretLine:
    """One secret after the rotation."""

    id: int
    #: "Current", "Previous" or "Revoked".
    state: str
    #: None if it is refused at once.
    expires: datetime | None
    last_used: datetime | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """The preview of a rotation."""

    #: The name of the Secret.
    secret: str
    overlap: timedelta
    lines: tuple[SecretLine, ...]
    #: The workloads that use the Secret; None if they may not be read.
    consumers: tuple[str, ...] | None
    #: The status that delays the rotation.
    waits_while: str | None
    command: str


def rotation(client: ApiClient, workloads: Iterable[Workload] | None, now: datetime) -> Rotation:
    """Preview the rotation of a client that has a secret."""
    meta, status, span = client.metadata, client.status, overlap(client.spec.secret)
    kept = {one.id: one for one in previous(status.credentials, now, span)}
    mounting = None
    if workloads is not None:
        place = (meta.namespace, client.secret_name)
        mounting = tuple(sorted(str(one) for one in workloads if one.namespace == place[0] and place[1] in one.secrets))
    newest = SecretLine((status.last_credential_id or 0) + 1, "Current", now + client.spec.secret.lifetime, None)
    return Rotation(
        secret=client.secret_name,
        overlap=span,
        lines=(newest, *(_line(one, kept.get(one.id)) for one in status.credentials)),
        consumers=mounting,
        waits_while=status.observed_status if status.observed_status in _WAITS else None,
        command=f"kubectl apiclient rotate {meta.name} -n {meta.namespace}",
    )


def _line(before: Credential, after: Credential | None) -> SecretLine:
    if after is None:
        return SecretLine(before.id, "Revoked", None, before.last_used_time)
    return SecretLine(before.id, after.state, after.expires_time, before.last_used_time)
