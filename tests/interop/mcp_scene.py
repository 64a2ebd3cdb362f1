"""An MCP server behind nginx with TLS, and agents of ``examples/mcp`` that find their way to it."""

import base64
import json
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import LocalCluster
from cluster.programs import free_port
from demo.calls import Answer, Credentials, request
from demo.service import Service
from examples.gateways.render import NGINX, Places
from tests.interop.dialogue import Dialogue, dialogue
from tests.interop.scene import Installation, TlsStage
from tests.toolkit import objects
from tests.toolkit.waiting import eventually

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mcp"
AGENTS, ASSISTANT, OTHER = "agents", "assistant-1.0", "planner-1.0"
SHOP, STOCK = "shop", "stock"
_PUBLIC_URL = "https://mcp.example.com/mcp"
#: The issuer serves TLS, and nginx asks another gate in clear text.
_ISSUER, _ASKED = 0, 1
_PATIENCE = "--timeout=60s"


@dataclass(frozen=True)
class McpScene:
    """Everything, running and settled."""

    stage: TlsStage
    #: Where agents call the MCP server.
    url: str
    folder: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """What trusts both the issuer and nginx."""
        return ssl.create_default_context(cafile=self.stage.pki.ca)

    def kubectl(self, *words: str, input: str | None = None) -> str:
        """Run kubectl in the namespace of the agents; what it said. Raises KubectlError."""
        return self.stage.cluster.kubectl(f"--namespace={AGENTS}", *words, input=input).stdout

    def credentials(self, client: str) -> Credentials:
        """What the Secret of a client holds."""
        return self.stage.credentials(AGENTS, f"{client}-credentials")

    @contextmanager
    def agent(self, client: str) -> Iterator[Dialogue]:
        """The example's agent, running with a client's credentials and nothing else but the two URLs."""
        credentials = self.credentials(client)
        environment = {
            "MCP_URL": self.url,
            "ISSUER": self.stage.issuer,
            "CLIENT_ID": credentials.client_id,
            "CLIENT_SECRET": credentials.client_secret,
            "SSL_CERT_FILE": str(self.stage.pki.ca),
        }
        command = [sys.executable, str(EXAMPLE / "agent.py")]
        with dialogue(client, command, environment, self.folder / f"{client}.log", self.folder) as running:
            yield running

    def ask_token(self, client: str) -> Answer:
        """What the issuer answers to a client's request for a token for the MCP server (RFC 8707)."""
        credentials = self.credentials(client)
        pair = base64.b64encode(f"{credentials.client_id}:{credentials.client_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
        form = f"grant_type=client_credentials&resource={self.url}".encode()
        return request("POST", credentials.token_endpoint, headers=headers, body=form, tls=self.tls)

    def token(self, client: str) -> str:
        """A token for the MCP server, with which a test looks at what the gates say."""
        answer = eventually(
            "a token is issued", lambda: found if (found := self.ask_token(client)).status == 200 else None
        )
        return str(answer.json()["access_token"])

    def until_gates_say(self, status: int, token: str) -> None:
        """Wait until both gates answer so to a call with the token."""
        path, headers = f"/authz/{SHOP}/{STOCK}", {"Authorization": f"Bearer {token}"}

        def said() -> set[int]:
            issuer = request("GET", self.stage.origin + path, headers=headers, tls=self.tls)
            asked = request("GET", self.stage.gate_url(_ASKED) + path, headers=headers)
            return {issuer.status, asked.status}

        eventually(f"both gates say {status}", lambda: said() == {status})

    def tokens_issued(self) -> float:
        """How many tokens the issuer has issued so far."""
        lines = request("GET", f"{self.stage.origin}/metrics", tls=self.tls).body.decode().splitlines()
        issued = [line for line in lines if line.startswith('apiclient_gate_tokens_total{outcome="issued"')]
        assert issued, "the metric is there"
        return sum(float(line.rpartition(" ")[2]) for line in issued)

    def post(self, message: objects.JsonObject, token: str | None = None) -> Answer:
        """A JSON-RPC message to the MCP server."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return request("POST", self.url, headers=headers, body=json.dumps(message).encode(), tls=self.tls, seconds=20)


@contextmanager
def mcp_scene(cluster: LocalCluster, folder: Path) -> Iterator[McpScene]:
    """Operator, two gates, the MCP server, nginx before it, and two agents that have a contract."""
    with TlsStage(cluster, folder, Installation()) as stage, ExitStack() as stack:
        stage.install()
        stage.algorithm_operator().start()
        stage.tls_gate()
        stage.gate(_ASKED).start()
        scene = McpScene(stage, stack.enter_context(_served(stage)), folder)
        _declare(scene)
        for client in (ASSISTANT, OTHER):
            scene.until_gates_say(200, scene.token(client))
        yield scene


def _declare(scene: McpScene) -> None:
    """The example with the URL that is served here, and another agent."""
    for namespace in (SHOP, AGENTS):
        scene.stage.cluster.kubectl("create", "namespace", namespace)
    example = (EXAMPLE / "stock.yaml").read_text()
    assert _PUBLIC_URL in example
    others = [
        objects.client(OTHER, namespace=AGENTS),
        objects.contract("planner-stock", OTHER, (SHOP, STOCK), "read", namespace=AGENTS),
    ]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": others})
    for text in (example.replace(_PUBLIC_URL, scene.url), listed):
        scene.stage.cluster.kubectl("apply", "-f", "-", input=text)
    scene.kubectl("wait", "apiclients,contracts", "--all", "--for=condition=Ready", _PATIENCE)


@contextmanager
def _served(stage: TlsStage) -> Iterator[str]:
    """The example's MCP server behind nginx with the example's configuration; the URL."""
    port, inner, folder = free_port(), free_port(), stage.folder / "nginx"
    folder.mkdir()
    gate = stage.gate_url(_ASKED).removeprefix("http://")
    listen = f"127.0.0.1:{port}"
    NGINX.write(Places(listen, [gate], f"127.0.0.1:{inner}", folder, (SHOP, STOCK)))
    _with_tls(folder / "nginx.conf", listen, stage)
    command = [sys.executable, str(EXAMPLE / "server.py"), f"127.0.0.1:{inner}"]
    server = Service("mcp-server", command, stage.folder / "mcp-server.log")
    nginx = Service("nginx", NGINX.command(folder), stage.folder / "nginx.log")
    try:
        for service, address in ((server, f"http://127.0.0.1:{inner}"), (nginx, f"http://{listen}")):
            service.start(ready_within=None)
            eventually(f"{service.name} listens", lambda service=service, address=address: _listens(service, address))  # type: ignore[misc]
        yield f"https://{listen}/mcp"
    finally:
        nginx.stop()
        server.stop()


def _with_tls(configuration: Path, listen: str, stage: TlsStage) -> None:
    """End TLS in nginx, as docs/agents.md says."""
    pair = stage.pki.server
    tls = f'listen {listen} ssl;\nssl_certificate "{pair.certificate}";\nssl_certificate_key "{pair.key}";'
    text = configuration.read_text()
    assert f"listen {listen};" in text
    configuration.write_text(text.replace(f"listen {listen};", tls))


def _listens(service: Service, address: str) -> bool:
    assert service.running, service.tail()
    try:
        return bool(request("GET", f"{address}/").status)  # 404 of the server; 400 of nginx, which wants TLS
    except OSError:
        return False
