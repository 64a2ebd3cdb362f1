"""The project's kinds as the API server names them, and the keys under which they wait in the work queue."""

from typing import NamedTuple

from apiclients.kube.client import ResourceType, custom_resource
from apiclients.resources.names import GROUP, VERSION

API_CLIENTS = custom_resource(GROUP, VERSION, "apiclients", "ApiClient")
APIS = custom_resource(GROUP, VERSION, "apis", "Api")
CONTRACTS = custom_resource(GROUP, VERSION, "contracts", "Contract")
CONTRACT_APPROVALS = custom_resource(GROUP, VERSION, "contractapprovals", "ContractApproval")
API_CLIENT_HOLDS = custom_resource(GROUP, VERSION, "apiclientholds", "ApiClientHold")

#: Everything that the operator watches with kopf.
ALL_KINDS: tuple[ResourceType, ...] = (API_CLIENTS, APIS, CONTRACTS, CONTRACT_APPROVALS, API_CLIENT_HOLDS)


class Item(NamedTuple):
    """One object to be reconciled."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name
