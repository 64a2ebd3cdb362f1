from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.kubeconfig import find_kubectl
from tests.plan.folder import Folder


@pytest.fixture
def empty(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


@pytest.fixture
def kubectl_on_path() -> str:
    """A PATH on which kubectl is."""
    return f"{find_kubectl().parent}{os.pathsep}{os.environ['PATH']}"
