"""The release before this one: its CRDs and values as files beside this one, its programs from the history of git."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apiclients.resources.crd import CRD_KINDS, Kind, custom_resource_definition
from apiclients.resources.schema import annotated_schema

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("previous")
_GIT_SECONDS = 60

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """Which release it is."""

    version: str
    commit: str
    date: str


def previous() -> Release:
    """The release before this one."""
    return Release(**yaml.safe_load((FOLDER / "release.yaml").read_text(encoding="utf-8")))


def was_there(kind: Kind) -> bool:
    """Whether the previous release had a kind."""
    return (FOLDER / "crds" / kind.file_name).is_file()


def previous_crd(kind: Kind) -> JsonObject:
    """The CRD that the previous release had of a kind."""
    crd: JsonObject = yaml.safe_load((FOLDER / "crds" / kind.file_name).read_text(encoding="utf-8"))
    return crd


def previous_values(kind: Kind) -> JsonObject:
    """The schema of spec with the bounds of values, which policies check and CRDs do not have."""
    values: dict[str, JsonObject] = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
    return values[kind.kind]


def missing_history(release: Release) -> str | None:
    """Why the programs of a release cannot be had from this checkout, or None."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "cat-file", "-e", f"{release.commit}^{{commit}}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError:
        return "git is not there"
    if done.returncode == 0:
        return None
    return (
        f"the previous release (commit {release.commit} of {release.date}) is not in the history here; of a shallow "
        f"clone git fetch --unshallow brings it. git says: {done.stderr.strip()}"
    )


def unpack_programs(release: Release, folder: Path) -> Path:
    """Write the Python package of a release below a folder; returns what to put into PYTHONPATH."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", release.commit, "operator/apiclients"],
        capture_output=True,
        check=True,
        timeout=_GIT_SECONDS,
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "operator"


def record(version: str) -> None:
    """Take what is here for the previous release, from now on. Raises CalledProcessError without git."""
    shown = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%H %cs"],
        capture_output=True,
        text=True,
        check=True,
        timeout=_GIT_SECONDS,
    )
    commit, date = shown.stdout.split()
    (FOLDER / "crds").mkdir(parents=True, exist_ok=True)
    _write(FOLDER / "release.yaml", {"version": version, "commit": commit, "date": date})
    _write(FOLDER / "values.yaml", {kind.kind: annotated_schema(kind.spec) for kind in CRD_KINDS})
    for kind in CRD_KINDS:
        _write(FOLDER / "crds" / kind.file_name, custom_resource_definition(kind))


def _write(path: Path, content: JsonObject) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8")
