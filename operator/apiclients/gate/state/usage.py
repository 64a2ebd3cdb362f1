"""Which clients and contracts were used lately, for the report of this replica (``lifecycle.usage``)."""

from collections.abc import Mapping
from datetime import datetime

from apiclients.gate.state.access import AccessTable
from apiclients.gate.state.tally import Tally
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.contract_usage import MAX_REPORTS_BYTES, encode_contracts
from apiclients.lifecycle.usage import LastUse, encode, hour_of
from apiclients.resources.fields import format_time
from apiclients.resources.names import CONTRACT_USAGE_ANNOTATION, USAGE_ANNOTATION, USAGE_COMPLETE_ANNOTATION


class UsageReport:
    """What this replica reports: what statuses do not say yet, so far as there is room."""

    def __init__(self, tally: Tally, access: AccessTable, clients: Mapping[str, ClientView]) -> None:
        """``clients`` by UID."""
        self._tally = tally
        self._access = access
        self._clients = clients
        self._complete: datetime | None = None

    def annotations(self, now: datetime) -> dict[str, str]:
        """The annotations of its Lease. Clients come first, contracts have the room that these leave."""
        uids = news(self._tally, self._clients)
        clients, count = encode((uid, last_use(self._tally, uid)) for uid in uids)
        contracts = encode_contracts(contract_news(self._access, self._clients), MAX_REPORTS_BYTES - len(clients))
        if count == len(uids):
            self._complete = now
        return {
            USAGE_ANNOTATION: clients,
            CONTRACT_USAGE_ANNOTATION: contracts,
            USAGE_COMPLETE_ANNOTATION: format_time(self._complete) if self._complete is not None else "",
        }


def news(tally: Tally, clients: Mapping[str, ClientView]) -> list[str]:
    """The UIDs of the clients with a use, their own or of a credential, of a later hour than their status says.

    The longest untold come first. Once the status says it, a client is in no report any more.
    """
    untold = [
        uid
        for uid, used in tally.last_uses().items()
        if (client := clients.get(uid)) is not None and _is_news(used, tally.credential_uses(uid), client)
    ]
    untold.sort(key=lambda uid: (clients[uid].last_used, uid))
    return untold


def last_use(tally: Tally, uid: str) -> LastUse:
    """What is reported of a client that was used."""
    credentials = {id_: hour_of(used) for id_, used in tally.credential_uses(uid).items()}
    return LastUse(hour_of(tally.last_use(uid)), credentials)


def contract_news(access: AccessTable, clients: Mapping[str, ClientView]) -> dict[str, int]:
    """By UID the hours of the contracts that were used in a later one than their status says, in the same order.

    ``clients`` by UID.
    """
    uses = ((view, hour_of(used)) for view, used in access.contract_uses(clients))
    untold = [(view, hour) for view, hour in uses if hour > view.last_used]
    untold.sort(key=lambda use: (use[0].last_used, use[0].claim.uid))
    return {view.claim.uid: hour for view, hour in untold}


def _is_news(used: float, credentials: Mapping[int, float], client: ClientView) -> bool:
    if hour_of(used) > client.last_used:
        return True
    return any(hour_of(credentials.get(one.id, 0)) > one.last_used for one in client.credentials)
