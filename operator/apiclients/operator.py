"""The operator program. kopf is its shell: login, watching, startup, cleanup.

What enters is in ``handlers``, what happens then in ``controllers``.
"""

import sys
from typing import Any

import kopf

from apiclients import __version__, handlers
from apiclients.controllers import health
from apiclients.controllers.first_watch import FirstWatch
from apiclients.controllers.manager import Manager
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.tasks import until_signal
from apiclients.kube import event_loop
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.leases import LeadershipLostError
from apiclients.resources.names import GROUP
from apiclients.settings.load import load, warn_of_unknown_variables
from apiclients.settings.logs import configure_logs
from apiclients.settings.operator import OperatorSettings


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
        server = await health.serve(config.http_host, config.http_port, metrics.registry, manager.problem)
        try:
            await until_signal(lambda: manager.run(lambda: _watch(manager, config.identity)))
        finally:
            await server.cleanup()


async def _watch(manager: Manager, identity: str) -> None:
    """Run kopf until a signal, or until its watch dies, which ends the process: a restart is cheap, writes nothing."""
    await kopf.operator(
        registry=handlers.registry,
        settings=_kopf_settings(),
        standalone=True,
        clusterwide=True,
        identity=identity,  # type: ignore[arg-type]  # a name of its own for str; without it, kopf needs a user name
        memo=handlers.OperatorMemo(manager.kube, manager.cluster, FirstWatch(manager.cluster.stores)),
    )


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
    # kopf removes its finalizer wherever it finds it, and by default all operators made with it share one name.
    config.persistence.finalizer = f"{GROUP}/never-set"
    # A worker keeps its slot for idle_timeout after its work: the one is a trap without the other.
    config.queueing.worker_limit = 100
    config.queueing.idle_timeout = 0.01
    config.watching.chunk_size = 500
    config.watching.connect_timeout = 5
    config.networking.request_timeout = 30
    config.networking.connect_timeout = 5
    config.process.ultimate_exiting_timeout = 10
    return config


def main() -> None:
    """Entry point of ``apiclient-operator``."""
    config = load(OperatorSettings)
    configure_logs(config.log_format, config.log_level)
    warn_of_unknown_variables(OperatorSettings)
    try:
        event_loop.run(run(config))
    except LeadershipLostError as error:
        sys.exit(f"Leadership lost, ending: {error}")
    except (KubeError, OSError) as error:
        sys.exit(f"Cannot run: {error}")


if __name__ == "__main__":
    main()
