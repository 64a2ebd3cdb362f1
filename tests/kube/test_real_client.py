"""The client against a real API server."""

from __future__ import annotations

import asyncio
import datetime
import secrets
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apiclients.kube import config
from apiclients.kube.client import NAMESPACES, SECRETS, JsonObject, KubeClient, WatchEvent, custom_resource
from apiclients.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnreachableError,
)
from cluster import LocalCluster
from tests.toolkit.waiting import async_eventually

THINGS = custom_resource("kube-test.example.com", "v1", "things", "Thing")
CRD = custom_resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")


def secret(name: str, **data: str) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"test": "yes"}},
        "stringData": data,
    }


def thing(name: str, color: str = "red") -> JsonObject:
    return {
        "apiVersion": THINGS.api_version,
        "kind": THINGS.kind,
        "metadata": {"name": name},
        "spec": {"color": color},
    }


@pytest.fixture
async def things(client: KubeClient, namespace: str) -> str:
    """A custom resource with a status and a selectable field; returns a namespace for its objects."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {"type": "object", "properties": {"color": {"type": "string", "maxLength": 10}}}
    definition = {
        "metadata": {"name": f"{THINGS.plural}.{THINGS.group}"},
        "spec": {
            "group": THINGS.group,
            "scope": "Namespaced",
            "names": {"plural": THINGS.plural, "kind": THINGS.kind},
            "versions": [
                {
                    "name": THINGS.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": ".spec.color"}],
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": schema}}},
                }
            ],
        },
    }
    try:
        await client.create(CRD, None, definition)
    except AlreadyExistsError:
        return namespace

    async def served() -> bool:
        try:
            await client.create(THINGS, namespace, thing("probe"))
            await client.delete(THINGS, namespace, "probe")
        except NotFoundError:
            raise AssertionError("a path that does not exist is no NotFoundError") from None
        except Exception:
            return False
        return True

    await async_eventually("the kind is served", served)
    return namespace


async def everything(client: KubeClient, namespace: str, **options: Any) -> list[JsonObject]:
    return [item async for page in client.pages(SECRETS, namespace, **options) for item in page.items]


async def test_create_get_delete(client: KubeClient, namespace: str) -> None:
    made = await client.create(SECRETS, namespace, secret("a", key="value"), field_manager="tester")
    assert await client.get(SECRETS, namespace, "a") == made
    assert made["metadata"]["managedFields"][0]["manager"] == "tester"
    with pytest.raises(AlreadyExistsError):
        await client.create(SECRETS, namespace, secret("a"))
    await client.delete(SECRETS, namespace, "a")
    with pytest.raises(NotFoundError):
        await client.get(SECRETS, namespace, "a")
    with pytest.raises(NotFoundError):
        await client.delete(SECRETS, namespace, "a")


async def test_metadata_only_brings_no_bytes(client: KubeClient, namespace: str) -> None:
    await client.create(SECRETS, namespace, secret("a", key="value"))
    one = await client.get(SECRETS, namespace, "a", metadata_only=True)
    (listed,) = await everything(client, namespace, metadata_only=True)
    for body in (one, listed):
        assert body["metadata"]["labels"] == {"test": "yes"}
        assert "data" not in body
    assert one["kind"] == "PartialObjectMetadata"


async def test_pages_are_one_consistent_list(client: KubeClient, namespace: str) -> None:
    await asyncio.gather(*(client.create(SECRETS, namespace, secret(f"s{i:02}")) for i in range(25)))
    names: list[str] = []
    versions: set[str] = set()
    async with aclosing(client.pages(SECRETS, namespace, page_size=10)) as pages:
        async for page in pages:
            if not names:
                await client.create(SECRETS, namespace, secret("s99"))
            names += [item["metadata"]["name"] for item in page.items]
            versions.add(page.resource_version)
    assert names == [f"s{i:02}" for i in range(25)]
    assert len(versions) == 1
    assert len(await everything(client, namespace)) == 26
    assert len(await everything(client, namespace, label_selector="test=no")) == 0
    assert len(await everything(client, namespace, field_selector="metadata.name=s03")) == 1


async def test_selectable_fields(client: KubeClient, things: str) -> None:
    for color in ("red", "green", "blue"):
        await client.create(THINGS, things, thing(color, color))
    found = [
        item["metadata"]["name"]
        async for page in client.pages(THINGS, things, field_selector="spec.color!=red", metadata_only=True)
        for item in page.items
    ]
    assert found == ["blue", "green"]


async def test_identities_of_an_older_definition_come_with_all_metadata(client: KubeClient, things: str) -> None:
    """It has no columns for them: the API server is upgraded after the programs."""
    await client.create(THINGS, things, thing("red", "red"))
    (page,) = [page async for page in client.pages(THINGS, things, identity_only=True)]
    (metadata,) = [item["metadata"] for item in page.items]
    assert (metadata["namespace"], metadata["name"]) == (things, "red")
    assert metadata["uid"]
    assert "managedFields" in metadata


@pytest.mark.rule(7)
async def test_apply_is_conditional_on_version_and_uid(client: KubeClient, namespace: str) -> None:
    async def apply(body: JsonObject) -> JsonObject:
        return await client.apply(SECRETS, namespace, "a", body, field_manager="tester")

    first = await apply(secret("a", key="1"))
    uid, version = first["metadata"]["uid"], first["metadata"]["resourceVersion"]
    stale = {**secret("a", key="3"), "metadata": {"name": "a", "uid": uid, "resourceVersion": version}}
    second = await apply(secret("a", key="2"))
    assert second["metadata"]["resourceVersion"] != version
    with pytest.raises(ConflictError):
        await apply(stale)
    another = {**secret("a"), "metadata": {"name": "a", "uid": "11111111-2222-3333-4444-555555555555"}}
    with pytest.raises(ConflictError):
        await apply(another)
    await client.delete(SECRETS, namespace, "a")
    for body in (stale, another):
        with pytest.raises(ConflictError):
            await apply(body)
    # The API server itself would take this for a creation: the bytes of a stale leader would come back.
    with pytest.raises(ValueError, match="uid"):
        await apply({**stale, "metadata": {"name": "a", "resourceVersion": version}})


async def test_apply_of_another_manager_conflicts_unless_forced(client: KubeClient, namespace: str) -> None:
    body = {**secret("a"), "metadata": {"name": "a", "labels": {"who": "one"}}}
    await client.apply(SECRETS, namespace, "a", body, field_manager="one")
    other = {**secret("a"), "metadata": {"name": "a", "labels": {"who": "two"}}}
    with pytest.raises(ConflictError):
        await client.apply(SECRETS, namespace, "a", other, field_manager="two", force=False)
    taken = await client.apply(SECRETS, namespace, "a", other, field_manager="two")
    assert taken["metadata"]["labels"] == {"who": "two"}


async def test_status_is_replaced_on_the_version_that_was_read(client: KubeClient, things: str) -> None:
    made = await client.create(THINGS, things, thing("a"))
    stored = await client.replace_status(THINGS, things, "a", {**made, "spec": {}, "status": {"n": 1}})
    assert stored["status"] == {"n": 1}
    assert stored["spec"] == {"color": "red"}
    assert stored["metadata"]["generation"] == 1
    with pytest.raises(ConflictError):
        await client.replace_status(THINGS, things, "a", {**made, "status": {"n": 2}})


async def test_merge_patch(client: KubeClient, things: str) -> None:
    made = await client.create(THINGS, things, thing("a"))
    await client.merge_patch(THINGS, things, "a", {"status": {"n": 1}}, subresource="status")
    changed = await client.merge_patch(THINGS, things, "a", {"spec": {"color": "blue"}})
    assert (changed["spec"], changed["status"]) == ({"color": "blue"}, {"n": 1})
    version = made["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        await client.merge_patch(THINGS, things, "a", {"metadata": {"resourceVersion": version}, "spec": None})


async def test_delete_preconditions(client: KubeClient, namespace: str) -> None:
    made = await client.create(SECRETS, namespace, secret("a"))
    uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        await client.delete(SECRETS, namespace, "a", uid="11111111-2222-3333-4444-555555555555")
    with pytest.raises(ConflictError):
        await client.delete(SECRETS, namespace, "a", uid=uid, resource_version="1")
    await client.delete(SECRETS, namespace, "a", uid=uid, resource_version=version)


async def test_validation_errors(client: KubeClient, things: str) -> None:
    with pytest.raises(InvalidError, match=r"spec\.color"):
        await client.create(THINGS, things, thing("a", "x" * 20))
    with pytest.raises(NotFoundError):
        await client.create(SECRETS, f"absent-{secrets.token_hex(4)}", secret("a"))


@pytest.mark.rule(23)
async def test_a_refused_secret_is_not_quoted(client: KubeClient, namespace: str) -> None:
    body = {**secret("a"), "data": {"key": "not base64: s3cr3t"}}
    with pytest.raises(Exception, match="create secrets") as caught:
        await client.create(SECRETS, namespace, body)
    assert "s3cr3t" not in str(caught.value)
    labelled = {**secret("a"), "metadata": {"name": "a", "labels": {"x": "s3cr3t s3cr3t"}}}
    with pytest.raises(InvalidError) as invalid:
        await client.create(SECRETS, namespace, labelled)
    assert "s3cr3t" not in str(invalid.value)


async def test_watch_tells_changes_and_bookmarks(client: KubeClient, namespace: str) -> None:
    (page,) = [page async for page in client.pages(SECRETS, namespace)]
    events: list[WatchEvent] = []
    made = await client.create(SECRETS, namespace, secret("a", key="value"))
    options: dict[str, Any] = {"resource_version": page.resource_version, "metadata_only": True}
    async for event in client.watch(SECRETS, namespace, timeout_seconds=5, **options):
        events.append(event)
        if event.type == "ADDED":
            await client.delete(SECRETS, namespace, "a")
    kinds = [event.type for event in events]
    assert kinds[:2] == ["ADDED", "DELETED"]
    assert set(kinds[2:]) == {"BOOKMARK"}, "one comes shortly before the end"
    assert all("data" not in event.object for event in events)
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(versions)
    assert events[0].object["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_service_account_has_its_rights_and_its_token_file(
    cluster: LocalCluster, client: KubeClient, namespace: str, tmp_path: Path
) -> None:
    account = custom_resource("x", "v1", "serviceaccounts", "ServiceAccount")
    cluster.kubectl("create", "serviceaccount", "robot", f"--namespace={namespace}")
    assert account.kind == "ServiceAccount"
    path = cluster.service_account_kubeconfig(namespace, "robot", tmp_path / "robot")
    async with await KubeClient.connect(kubeconfig=path, user_agent="robot/1") as robot:
        with pytest.raises(ForbiddenError, match="system:serviceaccount"):
            await robot.get(SECRETS, namespace, "a")
        with pytest.raises(ForbiddenError):
            await robot.create(SECRETS, namespace, secret("a"))


async def test_in_a_pod_the_service_account_is_used(
    cluster: LocalCluster, client: KubeClient, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.kubectl("create", "serviceaccount", "robot", f"--namespace={namespace}")
    good = cluster.kubectl("create", "token", "robot", f"--namespace={namespace}").stdout
    token = tmp_path / "token"
    token.write_text("not-a-token")
    (tmp_path / "ca.crt").write_text(cluster.ca_file.read_text())
    host, _, port = cluster.server.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(config, "SERVICE_ACCOUNT", tmp_path)
    async with await KubeClient.connect(user_agent="robot/1") as robot:
        with pytest.raises(ApiError, match="401"):
            await robot.get(SECRETS, namespace, "a")
        token.write_text(good)  # rotated: the refusal makes it read again at once
        with pytest.raises(ForbiddenError, match=f"system:serviceaccount:{namespace}:robot"):
            await robot.get(SECRETS, namespace, "a")


async def test_acting_as_somebody_else(cluster: LocalCluster, tmp_path: Path) -> None:
    """The API server understands all that a kubeconfig says."""
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    content["users"][0]["user"] |= {
        "as": "jürgen",
        "as-uid": "1-2-3",
        "as-groups": ["dev", "on call"],
        "as-user-extra": {"example.com/reason 1": ["a", "b"]},
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    reviews = custom_resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
    async with await KubeClient.connect(kubeconfig=path, user_agent="t/1") as client:
        body: JsonObject = {"apiVersion": reviews.api_version, "kind": reviews.kind, "metadata": {}}
        answer = await client.create(reviews, None, body)
        path_of_reviews = client.server + reviews.path(None)
        async with client.new_session() as session, session.post(path_of_reviews, json=body) as response:
            assert (await response.json())["status"] == answer["status"], "kopf acts as the same"
    who = answer["status"]["userInfo"]
    assert (who["username"], who["uid"]) == ("jürgen", "1-2-3")
    assert who["groups"] == ["dev", "on call", "system:authenticated"]
    assert who["extra"] == {"example.com/reason 1": ["a", "b"]}


async def test_tls_is_verified(cluster: LocalCluster, client: KubeClient, tmp_path: Path) -> None:
    text = cluster.kubeconfig.read_text()
    other = tmp_path / "other.pem"
    cluster_ca = cluster.ca_file.read_text()
    other.write_text(_another_ca())
    assert cluster_ca != other.read_text()
    path = tmp_path / "kubeconfig"
    path.write_text(_with_ca(text, other))
    async with await KubeClient.connect(kubeconfig=path, user_agent="t/1") as stranger:
        with pytest.raises(UnreachableError, match=r"(?i)certificate"):
            await stranger.get(NAMESPACES, None, "default")
    assert client.server.startswith("https://")


async def test_a_context_that_is_not_there(cluster: LocalCluster) -> None:
    with pytest.raises(ConfigurationError):
        await KubeClient.connect(kubeconfig=cluster.kubeconfig, context="no-such", user_agent="t/1")


@pytest.mark.rule(26)
async def test_the_clock_is_compared(cluster: LocalCluster) -> None:
    step = 0.0
    options: dict[str, Any] = {"kubeconfig": cluster.kubeconfig, "wall_clock": lambda: time.time() + step}
    async with await KubeClient.connect(user_agent="t/1", **options) as client:
        assert not client.clock.trusted()
        await client.get(NAMESPACES, None, "default")
        assert client.clock.trusted()
        assert abs(client.clock.offset_seconds or 99) < 2
        step = 31.0
        assert not client.clock.trusted(limit=29.0)


def _with_ca(kubeconfig: str, ca: Path) -> str:
    config = yaml.safe_load(kubeconfig)
    described = config["clusters"][0]["cluster"]
    described.pop("certificate-authority-data", None)
    described["certificate-authority"] = str(ca)
    return yaml.safe_dump(config)


def _another_ca() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
