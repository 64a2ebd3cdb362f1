"""Which clients were used lately, for the report of this replica (``lifecycle.usage``)."""

from collections.abc import Mapping

from apiclients.gate.state.tally import Tally
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.usage import LastUse, hour_of


def news(tally: Tally, clients: Mapping[str, ClientView]) -> dict[str, LastUse]:
    """By UID the clients whose last use is of a later hour than their status says, the longest untold first.

    Once the status says it, a client is in no report any more.
    """
    used = tally.last_uses()
    credentials = tally.last_credential_uses()
    untold = [uid for uid, time in used.items() if uid in clients and hour_of(time) > clients[uid].last_used]
    untold.sort(key=lambda uid: (clients[uid].last_used, uid))
    return {uid: _last_use(used[uid], credentials.get(uid, {})) for uid in untold}


def _last_use(time: float, credentials: Mapping[int, float]) -> LastUse:
    return LastUse(hour_of(time), {id_: hour_of(used) for id_, used in credentials.items()})
