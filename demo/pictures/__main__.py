"""``python -m demo.pictures docs`` runs plugin and demonstration on a real API server and draws what they print."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from cluster import Cluster, ClusterError, KubectlError, LocalCluster
from demo.narrator import StoryError, until
from demo.pictures import comment, scene, story, terminal
from demo.repository import Repository
from demo.service import ServiceError
from demo.stage import Stage

_TEAM, _SHOP, _BRANCH = "team-a", "shop", "retire-billing"
_CLIENTS = ("billing-1.0", "catalog-1.0", "mobile-2.3")
_CHAPTERS = 4
_STATUS = ("apiclient", "status", "billing-1.0", "-n", _TEAM)


def main() -> int:
    """Make all pictures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where pages and pictures go")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="apiclient-pictures-") as name, LocalCluster() as cluster:
            folder = Path(name)
            with Stage(cluster, folder) as stage:
                files = _pictures(stage, Repository(folder / "repository", cluster))
        files |= _story()
    except (StoryError, ServiceError, ClusterError, KubectlError) as error:
        print(f"The pictures could not be made: {error}", file=sys.stderr)
        return 1
    (args.folder / "pictures").mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (args.folder / file).write_text(text, encoding="utf-8")
        print(f"{args.folder / file}")
    return 0


def _pictures(stage: Stage, repository: Repository) -> dict[str, str]:
    stage.install()
    for namespace in (_TEAM, _SHOP):
        stage.cluster.kubectl("create", "namespace", namespace)
    stage.operator().start()
    stage.gate(0).start()
    _live_through(stage.cluster, repository)
    stage.plan_account()
    return {
        "pictures/status.svg": terminal.render(_status(stage, repository), f"kubectl {' '.join(_STATUS)}"),
        "pictures/plan-comment.svg": comment.render(_plan(stage, repository), "CI"),
    }


def _story() -> dict[str, str]:
    printed = story.perform()
    picture = terminal.render(story.beginning(printed, _CHAPTERS), "make demo")
    return {"demo.md": story.page(printed), "pictures/demo.svg": picture}


def _live_through(cluster: Cluster, repository: Repository) -> None:
    """The past that the status shows: contracts, an approval, a suspension, a rotation."""
    files = {"shop/apis.yaml": scene.SHOP, "team-a/billing.yaml": scene.BILLING}
    repository.commit("Add billing", files | {"team-a/catalog.yaml": scene.CATALOG, "team-a/mobile.yaml": scene.MOBILE})
    repository.apply()
    for name in _CLIENTS:
        _wait(cluster, f"apiclient/{name}", "Available")
    for name in ("billing-orders", "billing-payments", "catalog-orders", "mobile-orders"):
        _wait(cluster, f"contract/{name}", "Active")
    repository.edit("Suspend billing", "team-a/billing.yaml", scene.AVAILABLE, "desiredStatus: Suspended")
    repository.apply()
    _wait(cluster, "apiclient/billing-1.0", "Suspended")
    repository.revert()
    repository.edit("Rotate billing", "team-a/billing.yaml", "revision: 1", "revision: 2")
    repository.edit("Gold for payments", "team-a/billing.yaml", "plan: basic", "plan: gold")
    repository.apply()
    _wait(cluster, "apiclient/billing-1.0", "Available")
    until("the rotation", lambda: "Rotated" in cluster.kubectl("get", "events", "-n", _TEAM).stdout or None, pause=0.1)


def _wait(cluster: Cluster, name: str, status: str) -> None:
    condition = f"--for=jsonpath={{.status.observedStatus}}={status}"
    cluster.kubectl("wait", name, "-n", _TEAM, condition, "--timeout=30s")


def _status(stage: Stage, repository: Repository) -> str:
    words = (*_STATUS[1:], "--color", "always")
    return _printed(stage.plugin(*words, folder=repository.folder, kubeconfig=stage.cluster.kubeconfig))


def _plan(stage: Stage, repository: Repository) -> str:
    repository.git("switch", "-q", "-c", _BRANCH)
    for file, old, new in scene.BRANCH_EDITS:
        repository.edit(f"Change {file}", file, old, new)
    words = ("plan", "--base", "main", "--head", _BRANCH, "-o", "markdown")
    return _printed(stage.plugin(*words, folder=repository.folder))


def _printed(done: subprocess.CompletedProcess[str]) -> str:
    """What it printed. Raises StoryError when it failed."""
    if done.returncode != 0:
        raise StoryError(f"{' '.join(done.args)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
