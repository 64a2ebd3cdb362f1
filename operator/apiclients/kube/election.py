"""What is used of the official library: its election loop.

Importing it looks for a home directory and fails where there is none, for a kubeconfig that nobody asks it for.
"""

import os
from pathlib import Path

try:
    Path.home()
except RuntimeError:
    os.environ["HOME"] = "/"  # as container runtimes set it for a user whom /etc/passwd does not know

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

__all__ = ["ApiException", "BaseLock", "Config", "LeaderElection", "LeaderElectionRecord"]
