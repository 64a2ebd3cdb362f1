"""docker, podman and buildah: which is there and usable, and how each builds the same image twice."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.errors import ImageError

_PROBE_SECONDS = 30
_BUILD_SECONDS = 1800
#: How to ask whether a builder can build now: docker needs its daemon, the others only themselves.
_PROBES = {"docker": ("docker", "info"), "podman": ("podman", "info"), "buildah": ("buildah", "version")}


@dataclass(frozen=True, slots=True)
class Build:
    """One image to be built. ``epoch`` is the time of all its files, in seconds since 1970."""

    tag: str
    epoch: int
    arguments: Mapping[str, str]
    platform: str
    flags: Sequence[str] = ()


def find_builder(wanted: str | None = None) -> str:
    """The builder asked for, else the first of docker, podman and buildah that works. Raises ImageError."""
    candidates = [wanted] if wanted else [*_PROBES]
    for name in candidates:
        if name not in _PROBES:
            raise ImageError(f"{name} is not a known builder: it must be one of {', '.join(_PROBES)}.")
        if shutil.which(name) and _works(name):
            return name
    raise ImageError(
        f"No builder works here (tried {', '.join(candidates)}): install docker, podman or buildah, "
        "and start docker's daemon if docker is to be used."
    )


def _works(name: str) -> bool:
    try:
        done = subprocess.run(_PROBES[name], capture_output=True, check=False, timeout=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def command(builder: str, build: Build) -> list[str]:
    """The command that builds it in the current folder."""
    head = [builder, "build", "--file=Containerfile", f"--platform={build.platform}", *build.flags]
    arguments = [f"--build-arg={name}={value}" for name, value in build.arguments.items()]
    if builder == "docker":  # BuildKit takes the time of files from this argument, if the exporter is told to
        head += [f"--build-arg=SOURCE_DATE_EPOCH={build.epoch}", "--output=type=docker,rewrite-timestamp=true"]
    else:
        head += [f"--timestamp={build.epoch}"]
    return [*head, *arguments, f"--tag={build.tag}", "."]


def run(builder: str, build: Build, root: Path) -> None:
    """Build it. Raises ImageError."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(command(builder, build), cwd=root, env=environment, check=False, timeout=_BUILD_SECONDS)
    if done.returncode != 0:
        raise ImageError(f"{builder} could not build the image: see its message above.")
