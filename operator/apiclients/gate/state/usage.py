"""Which clients and contracts were used lately, for the report of this replica (``lifecycle.usage``)."""

from collections.abc import Mapping

from apiclients.gate.state.access import AccessTable
from apiclients.gate.state.tally import Tally
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.usage import LastUse, hour_of


def news(tally: Tally, clients: Mapping[str, ClientView]) -> dict[str, LastUse]:
    """By UID the clients with a use, their own or of a credential, of a later hour than their status says.

    The longest untold come first. Once the status says it, a client is in no report any more.
    """
    credentials = tally.last_credential_uses()
    uses = {uid: _last_use(used, credentials.get(uid, {})) for uid, used in tally.last_uses().items()}
    untold = [uid for uid, use in uses.items() if uid in clients and _is_news(use, clients[uid])]
    untold.sort(key=lambda uid: (clients[uid].last_used, uid))
    return {uid: uses[uid] for uid in untold}


def contract_news(access: AccessTable, clients: Mapping[str, ClientView]) -> dict[str, int]:
    """By UID the hours of the contracts that were used in a later one than their status says, in the same order.

    ``clients`` by UID.
    """
    uses = [(view, hour_of(used)) for view, used in access.contract_uses(clients)]
    untold = [(view, hour) for view, hour in uses if hour > view.last_used]
    untold.sort(key=lambda use: (use[0].last_used, use[0].claim.uid))
    return {view.claim.uid: hour for view, hour in untold}


def _is_news(use: LastUse, client: ClientView) -> bool:
    if use.client > client.last_used:
        return True
    return any(use.credentials.get(one.id, 0) > one.last_used for one in client.credentials)


def _last_use(time: float, credentials: Mapping[int, float]) -> LastUse:
    return LastUse(hour_of(time), {id_: hour_of(used) for id_, used in credentials.items()})
