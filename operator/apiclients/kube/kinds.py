"""The project's kinds as the API server names them."""

from apiclients.kube.objects import ResourceType, custom_resource
from apiclients.resources.names import GROUP, VERSION

API_CLIENTS = custom_resource(GROUP, VERSION, "apiclients", "ApiClient")
APIS = custom_resource(GROUP, VERSION, "apis", "Api")
CONTRACTS = custom_resource(GROUP, VERSION, "contracts", "Contract")
CONTRACT_APPROVALS = custom_resource(GROUP, VERSION, "contractapprovals", "ContractApproval")
API_CLIENT_HOLDS = custom_resource(GROUP, VERSION, "apiclientholds", "ApiClientHold")

ALL_KINDS: tuple[ResourceType, ...] = (API_CLIENTS, APIS, CONTRACTS, CONTRACT_APPROVALS, API_CLIENT_HOLDS)
