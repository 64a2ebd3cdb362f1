"""What a cluster's folder remembers of it, so that later processes find it again."""

import json
import tempfile
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.pki import write_private

STATE_FILE = "cluster.json"


def read_state(folder: Path) -> dict[str, Any] | None:
    """What was written last, or None if the folder holds no cluster."""
    try:
        state = json.loads((folder / STATE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and "provider" in state else None


def write_state(folder: Path, provider: str, **values: Any) -> None:
    """Remember ``values``. Only a folder with this file is ever removed."""
    path = folder / STATE_FILE
    new = path.with_suffix(".new")
    write_private(new, json.dumps({"provider": provider, **values}, indent=2).encode() + b"\n")
    new.replace(path)


def make_folder(given: Path | None, provider: str) -> Path:
    """Make the private folder of a cluster: ``given``, or a temporary one.

    Raises ``ClusterError`` if ``given`` holds anything but a cluster of this provider, or cannot be made.
    """
    if given is None:
        return Path(tempfile.mkdtemp(prefix="apiclient-cluster-"))
    state = read_state(given)
    if state is not None and state["provider"] != provider:
        raise ClusterError(f"{given} holds a cluster of the provider {state['provider']}: `down` removes it.")
    try:
        if state is None and given.exists() and any(given.iterdir()):
            raise ClusterError(f"{given} holds something else than a cluster: name an empty or new folder.")
        given.mkdir(parents=True, exist_ok=True)
        given.chmod(0o700)
    except OSError as error:
        raise ClusterError(f"The cluster's folder cannot be used: {error}.") from error
    return given
