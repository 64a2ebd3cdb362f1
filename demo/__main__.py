"""``python -m demo`` tells the story and ends; ``python -m demo --stay`` sets the same up and stays."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from cluster import ClusterError, KubectlError, open_cluster
from demo.contracts import API, PROVIDER, ContractStory
from demo.narrator import StoryError
from demo.planned import PlanStory
from demo.repository import Repository
from demo.service import ServiceError
from demo.stage import Stage
from demo.story import BILLING, NAMESPACE, Story


def main() -> int:
    """Run; returns the exit status: 0 when everything was as told."""
    args = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="apiclient-demo-") as folder:
            _perform(args, Path(folder))
    except (StoryError, ServiceError, ClusterError, KubectlError) as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if args.stay else 130
    return 0


def _perform(args: argparse.Namespace, folder: Path) -> None:
    print("Setting up: a real API server with the CRD and the roles of manifests/, the operator, two gates, nginx.")
    with open_cluster(args.provider, context=args.context) as cluster, Stage(cluster, folder) as stage:
        stage.install()
        for namespace in (NAMESPACE, PROVIDER):
            cluster.kubectl("create", "namespace", namespace)
        operator = stage.operator().start()
        for number in (0, 1):
            stage.gate(number).start()
        gateway, services = stage.gateway()
        contract_gateway, more_services = stage.gateway(api=API)
        for service in (*services, *more_services):
            service.start()
        repository = Repository(folder / "repository", cluster)
        if args.stay:
            _stay(stage, repository, gateway)
        else:
            story = Story(stage, repository, gateway, operator)
            story.run()
            ContractStory(story, contract_gateway).run()
            PlanStory(story, contract_gateway).run()
            story.look()
            print("\nEverything was as told. Stopping all that was started.")


def _stay(stage: Stage, repository: Repository, gateway: str) -> None:
    repository.commit("Add billing 1.0", {"team-a/billing.yaml": BILLING})
    repository.apply()
    print(f"""
It runs. In another terminal:

    export KUBECONFIG={stage.cluster.kubeconfig}
    kubectl get apiclients -A
    cd {repository.folder}        # edit teams/team-a/billing.yaml, git commit, kubectl apply -R -f teams/

    secret() {{ kubectl get secret -n {NAMESPACE} billing-credentials -o jsonpath="{{.data.$1}}" | base64 -d; }}
    TOKEN=$(curl -s -u "$(secret client-id):$(secret client-secret)" -d grant_type=client_credentials \\
            "$(secret token-endpoint)" | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
    curl -i -H "Authorization: Bearer $TOKEN" {gateway}/orders

    kubectl patch apiclient -n {NAMESPACE} billing-1.0 --type merge -p '{{"spec":{{"desiredStatus":"Suspended"}}}}'

Logs are in {stage.folder}. Ctrl-C stops all of it.""")
    signal.pause()


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signature of a handler
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--stay", action="store_true", help="set up and stay until Ctrl-C, instead of telling the story"
    )
    parser.add_argument("--provider", default="local", choices=["local", "kind", "existing"], help="of the cluster")
    parser.add_argument("--context", help="with --provider existing: the context of your kubeconfig to use")
    return parser


if __name__ == "__main__":
    sys.exit(main())
