"""What a yes rests on, so that a gate has to read it again (rule 17)."""

from __future__ import annotations

from collections.abc import Iterator

from apiclients.resources.refs import NamespacedName
from tests.model.expected import Expected
from tests.model.facts import Client

Reference = tuple[str, NamespacedName]
"""Kind and key of an object."""


def relied_on(model: Expected, client: Client, api_key: NamespacedName | None) -> Iterator[Reference]:
    """The objects that let a client in, or call an Api; the hold that would bear its name need not be there."""
    yield "ApiClient", client.spec.key
    yield "ApiClientHold", client.spec.key
    if api_key is None:
        return
    yield "Api", api_key
    api = model.apis[api_key]
    for contract in model.contracts.values():
        if contract.status != "Active" or not model.granted_here(contract, client, api):
            continue
        yield "Contract", contract.spec.key
        assert contract.granted is not None
        speaking = [one for one in model.approvals.values() if model.speaks(one, contract, contract.granted.plan)]
        if len(speaking) == 1:  # of several that agree only one is needed, and nobody tells which
            yield "ContractApproval", speaking[0].spec.key
