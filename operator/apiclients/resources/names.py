"""Names that other programs see: group, labels, annotations, keys of Secrets. They are API."""

GROUP = "apiclients.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

#: Marks every object that the operator made; its caches select by it.
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "apiclient-operator"
MANAGED_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

#: Any new token asks for one rotation; the operator echoes it in ``status.lastHandledRotateRequest`` (DESIGN rule 5).
ROTATE_REQUESTED_ANNOTATION = f"{GROUP}/rotate-requested"

#: On the credentials Secret: what the operator issued, with its MAC (DESIGN section 2, "The Secret").
CREDENTIAL_ANNOTATION = f"{GROUP}/credential"

#: The Lease of the operator that leads. Each gate has one of its own, which GATE_LEASE_SELECTOR selects.
OPERATOR_LEASE = "apiclient-operator"
GATE_LEASE_LABELS = {"app.kubernetes.io/name": "apiclient-gate", "app.kubernetes.io/component": "gate"}
GATE_LEASE_SELECTOR = "app.kubernetes.io/component=gate"

#: On the Leases of operator and gates: the version of the program.
VERSION_ANNOTATION = f"{GROUP}/version"
#: On those of the gates: everything of every kind up to this version is applied. Quiet kinds follow within a minute.
APPLIED_ANNOTATION = f"{GROUP}/applied-resource-version"
#: When the gate last proved that its picture is current, and whether it answers.
PROOF_ANNOTATION = f"{GROUP}/last-proof-time"
READY_ANNOTATION = f"{GROUP}/ready"

#: Field manager of every server-side apply of the operator.
FIELD_MANAGER = "apiclient-operator"

CREDENTIALS_SECRET_TYPE = f"{GROUP}/credentials"
KEYS_SECRET_TYPE = f"{GROUP}/keys"

CLIENT_ID_KEY = "client-id"
CLIENT_SECRET_KEY = "client-secret"
ISSUER_KEY = "issuer"
TOKEN_ENDPOINT_KEY = "token-endpoint"


def applied_annotation(plural: str) -> str:
    """On the Lease of a gate: everything of this kind up to this version is applied."""
    return f"{GROUP}/applied-{plural}"
