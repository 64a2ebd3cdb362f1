"""What Argo CD and Flux make of objects, by their own interpreters. ``interpreters/`` is built once per machine."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.toolkit.go_programs import go_program

_SOURCES = Path(__file__).with_name("interpreters")
_RUN_SECONDS = 60

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health of an object in Argo CD, with its message, and its status in Flux."""

    argocd: str
    message: str
    flux: str


def judge(
    lua: str, expressions: Mapping[str, Mapping[str, str]], objects: Sequence[Mapping[str, Any]]
) -> list[Verdict]:
    """Run the health script and, by kind, the health expressions on each object."""
    request = {"lua": lua, "expressions": expressions, "objects": objects}
    done = subprocess.run(
        [go_program(_SOURCES)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Verdict(**verdict) for verdict in json.loads(done.stdout)]
