"""Reads the live state for ``plan`` and ``snapshot``: the kinds, labels of namespaces, workloads. Never a Secret."""

import argparse
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiclients.cli.cluster.names import DEPLOYMENTS
from apiclients.cli.errors import CliError
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.kinds import ALL_KINDS, TOKEN_ISSUERS
from apiclients.kube.kubeconfig import context_of, files, read
from apiclients.kube.objects import NAMESPACES, ResourceType
from apiclients.plan.live import LiveState, SnapshotError, Workload, from_snapshot, live_state, workload

if TYPE_CHECKING:
    from apiclients.cli.cluster.connection import Session

#: Pods of their own are not looked at: what matters is who makes them.
WORKLOADS = (
    DEPLOYMENTS,
    ResourceType("apps", "v1", "statefulsets", "StatefulSet"),
    ResourceType("apps", "v1", "daemonsets", "DaemonSet"),
    ResourceType("batch", "v1", "cronjobs", "CronJob"),
)
_RUNS_PROGRAMS = ("exec", "auth-provider")


def cluster_is_configured(args: argparse.Namespace) -> bool:
    """Whether there is any configuration of a cluster. Raises ConfigurationError for a named file that is not there."""
    return bool(args.context or files(args.kubeconfig) or os.environ.get("KUBERNETES_SERVICE_HOST"))


def context_namespace(args: argparse.Namespace) -> str:
    """Where kubectl would put objects that name no namespace. Raises ConfigurationError."""
    paths = files(args.kubeconfig)
    own = context_of(read(paths), args.context)[1].get("namespace") if paths else None
    return str(args.namespace or own or "default")


def read_snapshot(path: Path) -> LiveState:
    """The live state from a file. Raises CliError."""
    try:
        return from_snapshot(path.read_bytes(), str(path))
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}") from error
    except SnapshotError as error:
        raise CliError(str(error)) from error


async def read_cluster(
    args: argparse.Namespace,
    *,
    namespaces: Collection[str] | None = None,
    workloads_in: Collection[str] | None = None,
) -> LiveState:
    """The live state now. ``namespaces`` None: all; ``workloads_in`` None: everywhere. Raises CliError, KubeError."""
    from apiclients.cli.cluster.connection import connect  # takes long to import, and a snapshot needs none of it

    if not args.allow_exec_plugins:
        _refuse_programs(args)
    async with connect(args) as session:
        return await read_state(session, _source(args, session), namespaces=namespaces, workloads_in=workloads_in)


async def read_state(
    session: "Session",
    source: str,
    *,
    namespaces: Collection[str] | None = None,
    workloads_in: Collection[str] | None = None,
) -> LiveState:
    """The same by a session that is open. Raises CliError, KubeError."""
    objects: list[dict[str, Any]] = []
    for resource in (kind for kind in ALL_KINDS if kind.namespaced):
        objects += await _kind(session, resource, namespaces)
    issuers = await _issuers(session)
    return live_state(
        [*objects, *(issuers or ())],
        source=source,
        taken_time=session.now(),
        namespaces=namespaces,
        namespace_labels=await _labels(session),
        issuers_known=issuers is not None,
        workloads=await _workloads(session, namespaces, workloads_in),
    )


async def _kind(session: "Session", resource: ResourceType, namespaces: Collection[str] | None) -> list[dict[str, Any]]:
    found = []
    for namespace in [None] if namespaces is None else sorted(namespaces):
        try:
            found += await session.objects(resource, namespace)
        except ForbiddenError:
            if namespace is not None:
                raise
            raise CliError(
                f"you may not list {resource.plural} in all namespaces. Ask for that right, name the namespaces that "
                "you may read with --live-namespace, or use a snapshot that somebody else wrote (--state)"
            ) from None
    return [{**obj, "kind": resource.kind} for obj in found]


async def _issuers(session: "Session") -> list[dict[str, Any]] | None:
    """The TokenIssuers, for whoever may read them: None otherwise, or where the cluster does not know the kind."""
    try:
        return [{**obj, "kind": TOKEN_ISSUERS.kind} for obj in await session.objects(TOKEN_ISSUERS)]
    except (ForbiddenError, NotFoundError):
        return None


async def _labels(session: "Session") -> dict[str, dict[str, str]] | None:
    try:
        found = await session.objects(NAMESPACES, metadata_only=True)
    except ForbiddenError:
        return None
    return {obj["metadata"]["name"]: obj["metadata"].get("labels") or {} for obj in found}


async def _workloads(
    session: "Session", namespaces: Collection[str] | None, wanted: Collection[str] | None
) -> list[Workload] | None:
    """Who mounts Secrets; None as soon as one right is missing, for half an answer would read as "nobody"."""
    scope = (
        wanted if namespaces is None else sorted(set(namespaces) & set(wanted if wanted is not None else namespaces))
    )
    places: list[str | None] = [None] if scope is None else [*sorted(scope)]
    found = []
    try:
        for resource in WORKLOADS:
            for place in places:
                found += [workload(resource.kind, obj) for obj in await session.objects(resource, place)]
    except ForbiddenError:
        return None
    return found


def _refuse_programs(args: argparse.Namespace) -> None:
    """A kubeconfig can name a program to run for credentials; a plan runs none unless asked to."""
    paths = files(args.kubeconfig)
    if not paths:
        return
    config = read(paths)
    user = config.users.get(str(context_of(config, args.context)[1].get("user")))
    if user is not None and any(key in user.content for key in _RUNS_PROGRAMS):
        raise CliError(
            "the kubeconfig gets its credentials from a program (exec), which is not run here. "
            "Pass --allow-exec-plugins if you trust it, or use a snapshot (--state)"
        )


def _source(args: argparse.Namespace, session: "Session") -> str:
    paths = files(args.kubeconfig)
    name = args.context or (read(paths).current if paths else "")
    return f"cluster {name}" if name else f"cluster {session.kube.server}"


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)
