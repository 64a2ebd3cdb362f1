"""The project's kinds as the API server names them."""

from apiclients.kube.objects import ResourceType, custom_resource
from apiclients.resources.names import GROUP, VERSION

API_CLIENTS = custom_resource(GROUP, VERSION, "apiclients", "ApiClient")
APIS = custom_resource(GROUP, VERSION, "apis", "Api")
CONTRACTS = custom_resource(GROUP, VERSION, "contracts", "Contract")
CONTRACT_APPROVALS = custom_resource(GROUP, VERSION, "contractapprovals", "ContractApproval")
API_CLIENT_HOLDS = custom_resource(GROUP, VERSION, "apiclientholds", "ApiClientHold")
TOKEN_ISSUERS = custom_resource(GROUP, VERSION, "tokenissuers", "TokenIssuer", namespaced=False)
#: Not declared by people but written by gates, in their own namespace: none of the kinds that decisions are about.
TOKEN_REVOCATIONS = custom_resource(GROUP, VERSION, "tokenrevocations", "TokenRevocation")

ALL_KINDS: tuple[ResourceType, ...] = (
    API_CLIENTS,
    APIS,
    CONTRACTS,
    CONTRACT_APPROVALS,
    API_CLIENT_HOLDS,
    TOKEN_ISSUERS,
)
#: All that have a CustomResourceDefinition of ours.
INSTALLED_KINDS: tuple[ResourceType, ...] = (*ALL_KINDS, TOKEN_REVOCATIONS)
