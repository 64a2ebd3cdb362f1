"""A real Kubernetes API server on any machine, for tests, the demo and the benchmarks.

``LocalCluster`` runs etcd, kube-apiserver and kube-controller-manager as processes of this machine; ``NodeCluster``
adds a node on which real pods run; ``KindCluster`` and ``ExistingCluster`` give the same interface (``Cluster``) for
kind and for a context of the user's own kubeconfig.
On the command line: ``python -m cluster up|down|status|kubeconfig|build``.
"""

from cluster.errors import ClusterError, KubectlError
from cluster.interface import Cluster
from cluster.local import LocalCluster
from cluster.node.cluster import NodeCluster
from cluster.providers import ExistingCluster, KindCluster, attach_cluster, open_cluster

__all__ = [
    "Cluster",
    "ClusterError",
    "ExistingCluster",
    "KindCluster",
    "KubectlError",
    "LocalCluster",
    "NodeCluster",
    "attach_cluster",
    "open_cluster",
]
