"""What is known of the overlap of a client's secrets: whether anybody still needs it."""

from collections.abc import Iterable
from functools import reduce

from apiclients.cli.cluster.gather import Around
from apiclients.cli.screens.text import age
from apiclients.lifecycle.overlaps import that_may_end
from apiclients.lifecycle.reports import Report, reports
from apiclients.lifecycle.usage import LastUse, later, with_last_use


def overlap_sentences(around: Around) -> tuple[str, ...]:
    """One for each overlap that may end; none where the gates cannot be asked, or have not reported for long enough."""
    known = reports(around.gates or (), around.reports, around.now)
    if known.until is None:
        return ()
    status, lifetime = around.client.status, around.client.spec.tokens.lifetime
    use = _last_use(around.client.metadata.uid, around.reports.values())
    credentials = with_last_use(status.credentials, use, around.now)
    return tuple(
        f"This overlap may end: nobody has used #{one.previous.id} since its successor was issued "
        f"{age(one.began, around.now)} ago, as gates reported {age(known.until, around.now)} ago. "
        "A shorter spec.secret.overlap ends it."
        for one in that_may_end(status, credentials, known, lifetime, around.now)
    )


def _last_use(uid: str, told: Iterable[Report]) -> LastUse | None:
    """What gates say together that the status may not say yet."""
    uses = [known.clients[uid] for known in told if uid in known.clients]
    return reduce(later, uses) if uses else None
