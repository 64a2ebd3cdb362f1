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

#: Field manager of every server-side apply of the operator.
FIELD_MANAGER = "apiclient-operator"

CREDENTIALS_SECRET_TYPE = f"{GROUP}/credentials"
KEYS_SECRET_TYPE = f"{GROUP}/keys"

CLIENT_ID_KEY = "client-id"
CLIENT_SECRET_KEY = "client-secret"
ISSUER_KEY = "issuer"
TOKEN_ENDPOINT_KEY = "token-endpoint"
