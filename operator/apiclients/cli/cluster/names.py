"""Kinds that are not the project's own, and names of the manifests: what the plugin reads, and as whom it writes."""

from apiclients.kube.objects import ResourceType

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
USER_REVIEWS = ResourceType("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
DEPLOYMENTS = ResourceType("apps", "v1", "deployments", "Deployment")
PODS = ResourceType("", "v1", "pods", "Pod")

#: Field manager of every write of the plugin; never one that starts with ``kubectl``, whose fields Flux takes over.
FIELD_MANAGER = "apiclient-cli"

SYSTEM_NAMESPACE = "apiclients-system"
OPERATOR_ACCOUNT = "apiclient-operator"
GATE_ACCOUNT = "apiclient-gate"
