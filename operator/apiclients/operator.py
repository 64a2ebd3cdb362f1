"""The operator program. kopf is its shell: login, watching, startup, cleanup; everything else is in ``controllers``."""

import logging
import sys
from typing import Any

import kopf
import uvloop
from pythonjsonlogger.json import JsonFormatter

from apiclients import __version__
from apiclients.controllers import health, settings
from apiclients.controllers.manager import Manager
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.settings import OperatorSettings
from apiclients.controllers.store import ObjectStore
from apiclients.controllers.tasks import until_signal
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.leases import LeadershipLostError
from apiclients.resources.names import GROUP, VERSION

logger = logging.getLogger(__name__)

_KOPF_CONNECTIONS = 8


async def run(config: OperatorSettings) -> None:
    """Run one operator process until a signal. Raises LeadershipLostError, KubeError, or OSError for a taken port."""
    metrics = OperatorMetrics()
    kube = await KubeClient.connect(
        kubeconfig=config.kubeconfig,
        context=config.context,
        user_agent=f"apiclient-operator/{__version__}",
        observe=metrics.requested,
    )
    async with kube:
        manager = Manager(config, kube, metrics)
        server = await health.serve(config.host, config.port, metrics.registry, manager.problem)
        try:
            await until_signal(lambda: manager.run(lambda: _watch(manager)))
        finally:
            await server.cleanup()


async def _watch(manager: Manager) -> None:
    """Run kopf until a signal, or until its watch dies, which ends the process: a restart is cheap, writes nothing."""
    await kopf.operator(
        registry=_registry(manager), settings=_kopf_settings(), standalone=True, clusterwide=True, memo=kopf.Memo()
    )


def _registry(manager: Manager) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        session = manager.kube.new_session(_KOPF_CONNECTIONS)
        return kopf.AiohttpSession(server=manager.kube.server, aiohttp_session=session)

    for store in manager.world.stores:
        _feed(registry, store)
    return registry


def _feed(registry: kopf.OperatorRegistry, store: ObjectStore[Any]) -> None:
    """Have every event of a kind go into its store."""

    @kopf.on.event(GROUP, VERSION, store.resource.plural, registry=registry)
    async def changed(type: str | None, event: kopf.RawEvent, **_: Any) -> None:
        obj = event["object"]
        if type == "DELETED":
            store.remove((obj["metadata"]["namespace"], obj["metadata"]["name"]), obj["metadata"]["uid"])
        else:
            store.put(obj)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing: reconciling is level-based, and annotations belong to users (DESIGN rule 21)."""

    def build(self, **_: Any) -> Any:
        return {}  # kopf would copy every object deeply for a comparison that nobody asks for

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing: retries are the work queue's."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def _kopf_settings() -> kopf.OperatorSettings:
    config = kopf.OperatorSettings()
    config.posting.enabled = False
    config.scanning.disabled = True
    config.persistence.diffbase_storage = _NoDiffBase()
    config.persistence.progress_storage = _NoProgress()
    # A worker keeps its slot for idle_timeout after its work: the one is a trap without the other.
    config.queueing.worker_limit = 100
    config.queueing.idle_timeout = 0.01
    config.watching.chunk_size = 500
    config.watching.connect_timeout = 5
    config.networking.request_timeout = 30
    config.networking.connect_timeout = 5
    config.process.ultimate_exiting_timeout = 10
    return config


def configure_logging(log_format: str, level: str) -> None:
    """One line per record on stderr, JSON or readable."""
    handler = logging.StreamHandler()
    if log_format == "json":
        fields = ["asctime", "levelname", "name", "message"]
        handler.setFormatter(JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level"}))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel("WARNING")


def main() -> None:
    """Entry point of ``apiclient-operator``."""
    config = settings.parse()
    configure_logging(config.log_format, config.log_level)
    try:
        uvloop.run(run(config))
    except LeadershipLostError as error:
        sys.exit(f"Leadership lost, ending: {error}")
    except (KubeError, OSError) as error:
        sys.exit(f"Cannot run: {error}")


if __name__ == "__main__":
    main()
