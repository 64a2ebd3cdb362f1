"""An installation whose issuer has a path, and whose tokens are signed with RS256: no program is written otherwise."""

import pytest

from apiclients.resources.keys import Algorithm
from tests.interop.dialogue import Dialogue
from tests.interop.programs import INTEROP, OTHERS, PYTHON, cases
from tests.interop.scene import Installation, Scene
from tests.interop.steps import DISCOVERY, VERIFIER, Step

#: These take one algorithm, which their users name.
_TAKE_ONE = {"express-oauth2-jwt-bearer", "Rust"}
_TAKE_BOTH = [program for program in (*PYTHON, *OTHERS) if program.name not in _TAKE_ONE]


@pytest.fixture(scope="module")
def installation() -> Installation:
    return Installation(Algorithm.RS256, path="/auth")


@pytest.mark.parametrize(
    ("program", "step"),
    [*cases(_TAKE_BOTH, *INTEROP, steps=VERIFIER), *cases((*PYTHON, *OTHERS), *INTEROP, steps=DISCOVERY)],
    indirect=["program"],
)
def test_the_library(scene: Scene, program: Dialogue, step: Step) -> None:
    step(scene, program)
