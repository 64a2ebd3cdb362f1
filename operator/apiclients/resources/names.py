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

#: On an ApiClientHold: the user who created it. A policy refuses any other name than that of whoever creates.
CREATED_BY_ANNOTATION = f"{GROUP}/created-by"

#: On the credentials Secret: what the operator issued, with its MAC (DESIGN section 2, "The Secret").
CREDENTIAL_ANNOTATION = f"{GROUP}/credential"
#: On the credentials Secret: the client that it was issued for, as ``<name>/<uid>``. Tools for backups put annotations
#: back and leave owner references out, and the MAC covers the UID.
CLIENT_ANNOTATION = f"{GROUP}/client"

#: The Lease of the operator that leads. Each gate has one of its own, which GATE_LEASE_SELECTOR selects.
OPERATOR_LEASE = "apiclient-operator"
GATE_LEASE_LABELS = {"app.kubernetes.io/name": "apiclient-gate", "app.kubernetes.io/component": "gate"}
GATE_LEASE_SELECTOR = "app.kubernetes.io/component=gate"

#: Each gate has a second Lease that says what it saw used lately; to write Leases is all that gates may.
USAGE_LEASE_LABELS = {"app.kubernetes.io/name": "apiclient-gate", "app.kubernetes.io/component": "gate-usage"}
USAGE_LEASE_SELECTOR = "app.kubernetes.io/component=gate-usage"
#: On that Lease: when clients were last used (``lifecycle.usage``).
USAGE_ANNOTATION = f"{GROUP}/last-use"
#: And when contracts were (``lifecycle.contract_usage``); a gate that does not know of it says nothing of them.
CONTRACT_USAGE_ANNOTATION = f"{GROUP}/contract-last-use"
#: Up to when all uses of clients and secrets that the gate saw stand in statuses or in this report. One in which not
#: all had room keeps the time of the one before.
USAGE_COMPLETE_ANNOTATION = f"{GROUP}/last-use-complete"

#: On the Leases of operator and gates: the version of the program.
VERSION_ANNOTATION = f"{GROUP}/version"
#: On those of the gates: everything of every kind up to this version is applied. Quiet kinds follow within a minute.
APPLIED_ANNOTATION = f"{GROUP}/applied-resource-version"
#: When the gate last proved that its picture is current, and whether it answers.
PROOF_ANNOTATION = f"{GROUP}/last-proof-time"
READY_ANNOTATION = f"{GROUP}/ready"
#: On the Leases of operator and gates: what is wrong, as /readyz says it; empty when nothing is.
PROBLEM_ANNOTATION = f"{GROUP}/problem"
MAX_PROBLEM_TEXT = 500
#: On those of the gates: the features that the gate obeys, with commas between (``lifecycle.features``).
OBEYS_ANNOTATION = f"{GROUP}/obeys"

#: On those of the gates: how many tokens named a key that the gate does not know, by TokenIssuer, as name=count with
#: commas between. A number that grows asks the operator to fetch the keys again.
UNKNOWN_KEYS_ANNOTATION = f"{GROUP}/unknown-keys"

#: Field manager of every server-side apply of the operator.
FIELD_MANAGER = "apiclient-operator"

CREDENTIALS_SECRET_TYPE = f"{GROUP}/credentials"
KEYS_SECRET_TYPE = f"{GROUP}/keys"

CLIENT_ID_KEY = "client-id"
CLIENT_SECRET_KEY = "client-secret"
ISSUER_KEY = "issuer"
TOKEN_ENDPOINT_KEY = "token-endpoint"

#: Columns of our kinds with ``-o wide``, after NAME: which object a row is, at which version. A table of them without
#: the objects costs the API server and its reader the same, whatever people write into labels and annotations.
NAMESPACE_COLUMN = "OBJECT-NAMESPACE"
UID_COLUMN = "UID"
GENERATION_COLUMN = "GENERATION"
VERSION_COLUMN = "RESOURCE-VERSION"


def usage_lease(gate: str) -> str:
    """The name of the Lease in which a gate reports what it saw used, by that of its own."""
    return f"{gate}-usage"


def applied_annotation(plural: str) -> str:
    """On the Lease of a gate: everything of this kind up to this version is applied."""
    return f"{GROUP}/applied-{plural}"
