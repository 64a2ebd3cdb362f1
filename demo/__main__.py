"""``python -m demo`` tells the story and ends; ``python -m demo --stay`` sets the same up and stays."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from cluster import ClusterError, KubectlError, open_cluster
from cluster.kubeconfig import find_kubectl
from demo.contracts import API, PROVIDER, ContractStory
from demo.identities import IdentityStory
from demo.narrator import StoryError
from demo.planned import PlanStory
from demo.repository import Repository
from demo.service import ServiceError
from demo.stage import Stage
from demo.story import BILLING, NAMESPACE, Story
from demo.supervisor import Supervisor


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
        operator = stage.operator(options=["--allow-local-issuers"]).start()
        gates = [stage.gate(number).start() for number in (0, 1)]
        gateway, services = stage.gateway()
        contract_gateway, more_services = stage.gateway(api=API)
        for service in (*services, *more_services):
            service.start()
        repository = Repository(folder / "repository", cluster)
        if args.stay:
            _stay(stage, repository, gateway)
        else:
            story = Story(stage, repository, gateway, operator, gates)
            story.run()
            ContractStory(story, contract_gateway).run()
            PlanStory(story, contract_gateway).run()
            IdentityStory(story, *stage.foreign_issuer()).run()
            story.look()
            print("\nEverything was as told. Stopping all that was started.")


def _stay(stage: Stage, repository: Repository, gateway: str) -> None:
    repository.commit("Add billing 1.0", {"team-a/billing.yaml": BILLING})
    repository.apply()
    print(f"""
It runs. In another terminal:

    export KUBECONFIG={stage.cluster.kubeconfig}
    export PATH={programs()}:$PATH    # kubectl and its plugin, kubectl-apiclient
    kubectl get apiclients -A
    kubectl apiclient status -n {NAMESPACE} billing-1.0
    cd {repository.folder}        # edit teams/team-a/billing.yaml, git commit, kubectl apply -R -f teams/

    secret() {{ kubectl get secret -n {NAMESPACE} billing-credentials -o jsonpath="{{.data.$1}}" | base64 -d; }}
    TOKEN=$(curl -s -u "$(secret client-id):$(secret client-secret)" -d grant_type=client_credentials \\
            "$(secret token-endpoint)" | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
    curl -i -H "Authorization: Bearer $TOKEN" {gateway}/orders

    kubectl patch apiclient -n {NAMESPACE} billing-1.0 --type merge -p '{{"spec":{{"desiredStatus":"Suspended"}}}}'

Logs are in {stage.folder}. What ends by itself is started again. Ctrl-C stops all of it.""")
    Supervisor(stage.services).run()


def programs() -> str:
    """The folders with kubectl and with the programs of this project, as they stand in PATH."""
    folders = (Path(sys.executable).parent, find_kubectl().parent)
    return os.pathsep.join(dict.fromkeys(map(str, folders)))


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
