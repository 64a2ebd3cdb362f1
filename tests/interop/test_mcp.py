"""AI agents: the official SDK of MCP finds its way to a server behind nginx, is stopped while it runs, and goes on."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import LocalCluster
from demo.calls import request
from tests.interop.mcp_scene import AGENTS, ASSISTANT, EXAMPLE, OTHER, McpScene, mcp_scene
from tests.toolkit import objects
from tests.toolkit.pages import Block, blocks, run
from tests.toolkit.waiting import eventually

STOPPED = "stopped: no token is accepted, and none is issued"
STOPS = {
    "Suspended": None,
    "a hold of one client": {"clientName": ASSISTANT},
    "a hold of the namespace": {"allClients": True},
}


#: What stands on the page below each of its headings.
PAGE = list(blocks("agents"))


@pytest.fixture(scope="module")
def scene(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpScene]:
    with mcp_scene(cluster, tmp_path_factory.mktemp("mcp")) as running:
        yield running


@contextmanager
def held(scene: McpScene, **whom: object) -> Iterator[None]:
    """While it lasts a hold is there; both ends are still on their way to the gates."""
    hold = objects.manifest("ApiClientHold", AGENTS, "stop", {"reason": "It goes astray", **whom})
    scene.kubectl("apply", "-f", "-", input=json.dumps(hold))
    try:
        yield
    finally:
        scene.kubectl("delete", "apiclienthold", "stop")


@contextmanager
def suspended(scene: McpScene) -> Iterator[None]:
    """The same with what stands in Git."""
    _desire(scene, "Suspended")
    try:
        yield
    finally:
        _desire(scene, "Available")


def _desire(scene: McpScene, status: str) -> None:
    patch = json.dumps({"spec": {"desiredStatus": status}})
    scene.kubectl("patch", "apiclient", ASSISTANT, "--type=merge", "-p", patch)


def served(scene: McpScene, client: str) -> str:
    """What the MCP server answers to an agent: it is told who calls."""
    return f"12 of tea, asked by {scene.credentials(client).client_id}"


def test_a_call_without_a_token_leads_to_the_token_endpoint(scene: McpScene) -> None:
    """RFC 9728 sections 5.1 and 3.3, then RFC 8414."""
    refused = scene.post({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert refused.status == 401
    named = re.search(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
    assert named
    resource = request("GET", named[1], tls=scene.tls).json()
    assert resource["resource"] == scene.url
    assert resource["authorization_servers"] == [scene.stage.issuer]
    issuer = request("GET", f"{scene.stage.issuer}/.well-known/oauth-authorization-server", tls=scene.tls).json()
    assert issuer["token_endpoint"] == scene.credentials(ASSISTANT).token_endpoint


def test_the_server_speaks_mcp(scene: McpScene) -> None:
    """Streamable HTTP, message by message, with a token and no SDK."""
    token = scene.token(ASSISTANT)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"name": "stock", "arguments": {"article": "tea"}}
    asked = {"initialize": hello, "tools/list": {}, "tools/call": call}
    said = {
        method: scene.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}, token)
        for method, parameters in asked.items()
    }
    assert {answer.status for answer in said.values()} == {200}
    results = {method: json.loads(answer.body)["result"] for method, answer in said.items()}
    assert results["initialize"]["serverInfo"]["name"] == "stock"
    assert [tool["name"] for tool in results["tools/list"]["tools"]] == ["stock"]
    assert results["tools/call"]["content"][0]["text"] == served(scene, ASSISTANT)


@pytest.mark.rule(1, 2, 3)
@pytest.mark.parametrize("stop", STOPS)
def test_a_running_agent_is_stopped_and_goes_on_with_the_same_token(scene: McpScene, stop: str) -> None:
    probe, whom = scene.token(ASSISTANT), STOPS[stop]
    with scene.agent(ASSISTANT) as agent:
        assert agent.ask("tea") == served(scene, ASSISTANT)
        issued = scene.tokens_issued()
        with suspended(scene) if whom is None else held(scene, **whom):
            scene.until_gates_say(401, probe)
            assert [agent.ask("tea") for _ in range(3)] == [STOPPED] * 3
        scene.until_gates_say(200, probe)
        assert agent.ask("tea") == served(scene, ASSISTANT)
        assert scene.tokens_issued() == issued, "no other token than before"


def test_a_hold_of_one_agent_stops_no_other(scene: McpScene) -> None:
    probe = scene.token(ASSISTANT)
    with scene.agent(OTHER) as other, held(scene, clientName=ASSISTANT):
        scene.until_gates_say(401, probe)
        assert other.ask("tea") == served(scene, OTHER)
    scene.until_gates_say(200, probe)


@pytest.mark.rule(16)
def test_nobody_leaves_a_hold_of_the_namespace_by_labels_or_by_another_name(scene: McpScene) -> None:
    probes = scene.token(ASSISTANT), scene.token(OTHER)
    with held(scene, allClients=True):
        for probe in probes:
            scene.until_gates_say(401, probe)
        scene.kubectl("label", "apiclients", "--all", "agents.example.com/exempt=true")
        scene.kubectl("apply", "-f", "-", input=json.dumps(objects.client("newcomer", namespace=AGENTS)))
        scene.kubectl(
            "wait", "apiclient/newcomer", "--for=jsonpath={.status.observedStatus}=Suspended", "--timeout=60s"
        )
        assert scene.ask_token("newcomer").status == 401
        for probe in probes:
            scene.until_gates_say(401, probe)
        with scene.agent(ASSISTANT) as agent:
            assert agent.ask("tea") == STOPPED
    for probe in probes:
        scene.until_gates_say(200, probe)
    eventually("the newcomer gets a token", lambda: scene.ask_token("newcomer").status != 401)


def below(heading: str, language: str = "sh") -> Block:
    """The one block of a language below a heading of docs/agents.md."""
    (found,) = [block for block in PAGE if (block.heading, block.language) == (heading, language)]
    return found


@pytest.mark.parametrize("end", ["Let them go on", "Practise it"])
def test_the_commands_of_the_page_stop_a_running_agent_and_let_it_go_on(
    scene: McpScene, end: str, tmp_path: Path
) -> None:
    probe, kubeconfig = scene.token(ASSISTANT), scene.stage.cluster.kubeconfig
    with scene.agent(ASSISTANT) as agent:
        assert agent.ask("tea") == served(scene, ASSISTANT)
        for heading in ("Stop them all", "Stop one", "Prove it"):
            run(below(heading), kubeconfig, tmp_path)
            assert agent.ask("tea") == STOPPED, heading
        for heading in ("Let them go on", end):
            run(below(heading), kubeconfig, tmp_path)
        scene.until_gates_say(200, probe)
        assert agent.ask("tea") == served(scene, ASSISTANT)


def test_the_hold_of_the_page_stops_all_agents(scene: McpScene) -> None:
    probes = scene.token(ASSISTANT), scene.token(OTHER)
    hold = below("Stop them all", "yaml").text
    scene.kubectl("apply", "-f", "-", input=hold)
    for probe in probes:
        scene.until_gates_say(401, probe)
    scene.kubectl("delete", "-f", "-", input=hold)
    for probe in probes:
        scene.until_gates_say(200, probe)


@pytest.mark.parametrize("block", [block for block in PAGE if block.language == "python" or block.heading == "Declare"])
def test_what_the_page_shows_is_part_of_the_example(block: Block) -> None:
    shown = [line.strip() for line in block.text.splitlines()]
    texts = ("\n".join(line.strip() for line in file.read_text().splitlines()) for file in EXAMPLE.iterdir())
    assert any("\n".join(shown) in text for text in texts), block.text
