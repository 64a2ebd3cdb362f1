"""What the programs of this folder talk to: operator and gates on a real API server, an Api and its consumer."""

import json
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from joserfc.jwk import ECKey

from apiclients.resources.keys import Algorithm
from cluster import LocalCluster
from cluster.pki import Pki, ensure_pki
from demo.calls import Credentials
from demo.service import Service
from demo.stage import Stage
from tests.toolkit import objects
from tests.toolkit.waiting import eventually

CONSUMER, PROVIDER, API = "consumer", "provider", "orders"
CLIENT, RESOURCE_SERVER, SCOPE = "billing", "orders-api", "orders.read"
#: Clients without a secret.
KEYED, POD = "keyed", "pod"
_READY = ("--for=condition=Ready", "--timeout=60s")
#: Gates by number: strict libraries take https alone, and many installations end TLS before the gate.
_TLS, _CLEARTEXT = 0, 1
#: Java takes no truststore without one; there is nothing secret in it.
_STORE_PASSWORD = "changeit"


@dataclass(frozen=True)
class Installation:
    """What an installation chooses, once, and all of its clients and verifiers meet."""

    algorithm: Algorithm = Algorithm.ES256
    #: The path of the issuer's URL.
    path: str = ""


class TlsStage(Stage):
    """A stage whose issuer is https: the first gate serves TLS, the second the same in clear text."""

    def __init__(self, cluster: LocalCluster, folder: Path, installation: Installation) -> None:
        super().__init__(cluster, folder)
        self._installation = installation
        self.pki: Pki = ensure_pki(folder / "pki")
        self.java_truststore = folder / "truststore.p12"
        self.java_truststore.write_bytes(_truststore(self.pki.ca))

    @property
    def issuer(self) -> str:
        """The address of the first gate, and a path if the installation has one."""
        return self.origin + self._installation.path

    @property
    def origin(self) -> str:
        """The address of the first gate."""
        return self.gate_url(_TLS).replace("http://", "https://")

    @property
    def api_url(self) -> str:
        """Where the Api is called: at the gate itself, which answers as a gateway would."""
        return f"{self.origin}/authz/{PROVIDER}/{API}"

    def algorithm_operator(self) -> Service:
        """An operator that makes keys for the installation's algorithm."""
        return self.operator(options=("--signing-algorithm", self._installation.algorithm))

    def tls_gate(self) -> Service:
        """The first gate, started and ready."""
        options = ("--tls-cert", str(self.pki.server.certificate), "--tls-key", str(self.pki.server.key))
        service = self.gate(_TLS, options=options)
        service.ready_url = None  # a Service asks in clear text
        service.start()
        eventually("the gate is ready", lambda: self.asked(f"{self.origin}/readyz"))
        return service

    def asked(self, url: str, form: bytes | None = None) -> bytes:
        """What is answered with 200; else nothing."""
        trusting = ssl.create_default_context(cafile=self.pki.ca)
        try:
            with urllib.request.urlopen(url, form, timeout=5, context=trusting) as answer:
                body: bytes = answer.read()
                return body
        except OSError:  # so is an HTTP status that is no success
            return b""


@dataclass(frozen=True)
class WithoutSecret:
    """What clients without a secret have instead."""

    folder: Path
    #: Of the one with a key of its own.
    client_id: str = ""

    @property
    def private_key(self) -> Path:
        """A JWK."""
        return self.folder / "private-key.json"

    @property
    def token(self) -> Path:
        """Of a ServiceAccount, as the kubelet would write it."""
        return self.folder / "token"


@dataclass(frozen=True)
class Scene:
    """A client of ``orders``, the program of that Api, and the gates that decide between them."""

    stage: TlsStage
    client: Credentials
    resource_server: Credentials
    without_secret: "WithoutSecret"

    @property
    def resource(self) -> str:
        """The Api's audience."""
        return f"{self.stage.issuer}/apis/{PROVIDER}/{API}"

    @property
    def api_url(self) -> str:
        """Where the Api is called."""
        return self.stage.api_url

    @property
    def cleartext(self) -> str:
        """The gate without TLS."""
        return self.stage.gate_url(_CLEARTEXT)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program finds in its environment: its Secret, and what its configuration would say."""
        return {
            "ISSUER": self.stage.issuer,
            "TOKEN_ENDPOINT": self.client.token_endpoint,
            "CLIENT_ID": self.client.client_id,
            "CLIENT_SECRET": self.client.client_secret,
            "API_URL": self.api_url,
            "RESOURCE": self.resource,
            "SCOPE": SCOPE,
            "RESOURCE_SERVER_ID": self.resource_server.client_id,
            "RESOURCE_SERVER_SECRET": self.resource_server.client_secret,
            "CLEARTEXT_GATE": self.cleartext,
            "KEYED_CLIENT_ID": self.without_secret.client_id,
            "PRIVATE_KEY_FILE": str(self.without_secret.private_key),
            "TOKEN_FILE": str(self.without_secret.token),
            **self._trust,
        }

    @property
    def _trust(self) -> Mapping[str, str]:
        """Where each language looks for the certificate authorities that it trusts."""
        ca = str(self.stage.pki.ca)
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        java = {
            "trustStore": self.stage.java_truststore,
            "trustStoreType": "PKCS12",
            "trustStorePassword": _STORE_PASSWORD,
        }
        options = " ".join(f"-Djavax.net.ssl.{name}={value}" for name, value in java.items())
        return {**dict.fromkeys(names, ca), "JAVA_TOOL_OPTIONS": options}

    def token(self, resource: str) -> str:
        """A token that is good for one resource; both gates issue such tokens by then."""
        form = urllib.parse.urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": self.client.client_id,
                "client_secret": self.client.client_secret,
                "resource": resource,
            }
        )
        token, _ = (self._issued(url, form.encode()) for url in (self.cleartext, self.stage.issuer))
        return token

    def _issued(self, gate: str, form: bytes) -> str:
        answer = eventually("a token is issued", lambda: self.stage.asked(f"{gate}/token", form))
        return str(json.loads(answer)["access_token"])

    @contextmanager
    def suspension(self) -> Iterator[None]:
        """While it lasts the client is suspended; both ends are still on their way to the gates."""
        self._desire("Suspended")
        try:
            yield
        finally:
            self._desire("Available")

    def _desire(self, status: str) -> None:
        patch = json.dumps({"spec": {"desiredStatus": status}})
        self.stage.cluster.kubectl("patch", "apiclient", CLIENT, "-n", CONSUMER, "--type=merge", "-p", patch)


@contextmanager
def scene_in(cluster: LocalCluster, folder: Path, installation: Installation) -> Iterator[Scene]:
    """Everything, running and settled."""
    with TlsStage(cluster, folder, installation) as stage:
        stage.install()
        stage.algorithm_operator().start()
        stage.tls_gate()
        stage.gate(_CLEARTEXT).start()
        _declare(stage)
        clients = _credentials(stage, CONSUMER, CLIENT), _credentials(stage, PROVIDER, RESOURCE_SERVER)
        scene = Scene(stage, *clients, _declare_without_secret(stage, WithoutSecret(folder)))
        scene.token(scene.resource)
        yield scene


def _truststore(ca: Path) -> bytes:
    certificate = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(ca.read_bytes()), None)
    encryption = serialization.BestAvailableEncryption(_STORE_PASSWORD.encode())
    return pkcs12.serialize_java_truststore([certificate], encryption)


def _declare(stage: TlsStage) -> None:
    plan = {"name": "basic", "scopes": [SCOPE, "orders.write"]}
    items = [
        objects.api(API, plan, namespace=PROVIDER, publicURL=stage.api_url),
        objects.client(RESOURCE_SERVER, namespace=PROVIDER),
        objects.client(CLIENT, namespace=CONSUMER),
        objects.contract("billing-orders", CLIENT, (PROVIDER, API), namespace=CONSUMER),
    ]
    for namespace in (CONSUMER, PROVIDER):
        stage.cluster.kubectl("create", "namespace", namespace)
    stage.cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    stage.cluster.kubectl("wait", "contract/billing-orders", "-n", CONSUMER, "--for=condition=Ready", "--timeout=60s")


def _declare_without_secret(stage: TlsStage, made: WithoutSecret) -> WithoutSecret:
    """A client with a key of its own, and one that runs in a pod; a Secret stands in for the pod."""
    key = ECKey.generate_key("P-256", {"kid": "2026"})
    made.private_key.write_text(json.dumps(key.as_dict(private=True)))
    jwks = json.dumps({"keys": [key.as_dict(private=False)]})
    issuer = {"keys": {"cluster": {}}, "audiences": ["https://api.example.com"], "uses": ["ClientAssertion"]}
    identities = [{"issuer": "cluster", "serviceAccountName": POD}]
    items = [
        objects.manifest("TokenIssuer", "", "cluster", issuer),
        objects.client(KEYED, namespace=CONSUMER, secret={"issue": False}, keys={"jwks": jwks}),
        objects.client(POD, namespace=CONSUMER, secret={"issue": False}, identities=identities),
        *(objects.contract(f"{one}-orders", one, (PROVIDER, API), namespace=CONSUMER) for one in (KEYED, POD)),
    ]
    kubectl = stage.cluster.kubectl
    kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    kubectl("create", "serviceaccount", POD, "-n", CONSUMER)
    kubectl("create", "secret", "generic", POD, "-n", CONSUMER)
    kubectl("wait", f"contract/{KEYED}-orders", f"contract/{POD}-orders", "-n", CONSUMER, *_READY)
    kubectl("wait", f"apiclient/{KEYED}", f"apiclient/{POD}", "-n", CONSUMER, *_READY)
    not_before = datetime.fromisoformat(_status(stage, POD, "tokens.notBefore"))
    eventually("a token is no older than its client", lambda: datetime.now(UTC) >= not_before)
    bound = (f"--audience={stage.issuer}", "--bound-object-kind=Secret", f"--bound-object-name={POD}")
    made.token.write_text(kubectl("create", "token", POD, "-n", CONSUMER, *bound).stdout.strip())
    return replace(made, client_id=_status(stage, KEYED, "clientId"))


def _status(stage: TlsStage, client: str, field: str) -> str:
    path = f"jsonpath={{.status.{field}}}"
    return stage.cluster.kubectl("get", "apiclient", client, "-n", CONSUMER, "-o", path).stdout


def _credentials(stage: TlsStage, namespace: str, client: str) -> Credentials:
    stage.cluster.kubectl("wait", f"apiclient/{client}", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    return stage.credentials(namespace, f"{client}-credentials")
