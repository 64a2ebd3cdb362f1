"""Kinds, and names that other programs of the project write: what the plugin reads.

The plugin imports neither operator nor gate (they cost time and pull in kopf); a test compares these with theirs.
"""

from apiclients.kube.objects import ResourceType, custom_resource
from apiclients.resources.names import GROUP, VERSION

API_CLIENTS = custom_resource(GROUP, VERSION, "apiclients", "ApiClient")
APIS = custom_resource(GROUP, VERSION, "apis", "Api")
CONTRACTS = custom_resource(GROUP, VERSION, "contracts", "Contract")
CONTRACT_APPROVALS = custom_resource(GROUP, VERSION, "contractapprovals", "ContractApproval")
API_CLIENT_HOLDS = custom_resource(GROUP, VERSION, "apiclientholds", "ApiClientHold")
ALL_KINDS = (API_CLIENTS, APIS, CONTRACTS, CONTRACT_APPROVALS, API_CLIENT_HOLDS)

CRDS = ResourceType("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
POLICIES = ResourceType(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"
)
BINDINGS = ResourceType(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
CLUSTER_ROLES = ResourceType("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")
CLUSTER_ROLE_BINDINGS = ResourceType("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding")
ACCESS_REVIEWS = ResourceType("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview")
DEPLOYMENTS = ResourceType("apps", "v1", "deployments", "Deployment")
PODS = ResourceType("", "v1", "pods", "Pod")

#: Field manager of every write of the plugin; never one that starts with ``kubectl``, whose fields Flux takes over.
FIELD_MANAGER = "apiclient-cli"

SYSTEM_NAMESPACE = "apiclients-system"
OPERATOR_LEASE = "apiclient-operator"
OPERATOR_ACCOUNT = "apiclient-operator"
GATE_ACCOUNT = "apiclient-gate"

#: Selects the Leases of the gate's replicas.
GATE_LEASE_LABEL = "app.kubernetes.io/component"
GATE_LEASE_SELECTOR = f"{GATE_LEASE_LABEL}=gate"
VERSION_ANNOTATION = f"{GROUP}/version"
#: How far each kind is applied; of all kinds together it lags up to a minute, for quiet kinds move by bookmarks.
APPLIED_HOLDS_ANNOTATION = f"{GROUP}/applied-{API_CLIENT_HOLDS.plural}"
PROOF_ANNOTATION = f"{GROUP}/last-proof-time"
READY_ANNOTATION = f"{GROUP}/ready"
