"""The kinds that the gate watches, as the API server names them."""

from apiclients.kube.client import ResourceType, custom_resource
from apiclients.resources.names import GROUP, VERSION

APICLIENTS = custom_resource(GROUP, VERSION, "apiclients", "ApiClient")
APIS = custom_resource(GROUP, VERSION, "apis", "Api")
CONTRACTS = custom_resource(GROUP, VERSION, "contracts", "Contract")
CONTRACT_APPROVALS = custom_resource(GROUP, VERSION, "contractapprovals", "ContractApproval")
API_CLIENT_HOLDS = custom_resource(GROUP, VERSION, "apiclientholds", "ApiClientHold")

#: Everything that decides about calls.
ALL_KINDS: tuple[ResourceType, ...] = (APICLIENTS, APIS, CONTRACTS, CONTRACT_APPROVALS, API_CLIENT_HOLDS)
