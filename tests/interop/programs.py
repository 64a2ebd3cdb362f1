"""The programs in the folders beside this file: how each is built, and what of it is tested."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from cluster.binaries import cache_folder
from cluster.build import exclusively
from tests.interop.steps import ALL, CLEARTEXT, CLIENT, DISCOVERY, FROM_API, INTROSPECTION, KEY, POD, VERIFIER, Step
from tests.toolkit.go_programs import go_program

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
#: A cold build fetches hundreds of packages and compiles them.
_BUILD_SECONDS = 1500
#: For tests whose programs have a tool chain of their own: the first one of a language waits for the build.
INTEROP = (pytest.mark.interop, pytest.mark.timeout(_BUILD_SECONDS + 300))
#: The oldest that the programs run with.
_TOOLS = {"node": "Node 20", "npm": "npm", "java": "Java 17", "mvn": "Maven", "cargo": "Rust 1.88 with cargo"}


class MissingToolError(Exception):
    """A tool chain is not on this machine; the message says which."""


@dataclass(frozen=True)
class Program:
    """One program. ``command`` builds it if need be and returns how it is started; raises MissingToolError."""

    name: str
    command: Callable[[], Sequence[str]]
    steps: tuple[Step, ...]


def _python(module: str) -> Callable[[], Sequence[str]]:
    return lambda: [sys.executable, "-m", f"tests.interop.python.{module}"]


def _go() -> Sequence[str]:
    return [str(go_program(HERE / "go"))]


def _node(script: str) -> Callable[[], Sequence[str]]:
    def command() -> Sequence[str]:
        node = need("node")
        folder = _built("node", need("npm"), "ci", "--ignore-scripts", "--prefer-offline", "--no-audit")
        return [node, str(folder / script)]

    return command


def _java(main: str) -> Callable[[], Sequence[str]]:
    def command() -> Sequence[str]:
        java = need("java")
        goals = ("compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath")
        folder = _built("java", need("mvn"), "--batch-mode", "--quiet", *goals)
        classpath = f"{folder / 'target' / 'classes'}{os.pathsep}{(folder / 'classpath').read_text()}"
        return [java, "-cp", classpath, f"interop.{main}"]

    return command


def _rust() -> Sequence[str]:
    folder = _built("rust", need("cargo"), "build", "--locked", "--quiet", "--target-dir=target")
    return [str(folder / "target" / "debug" / "interop")]


#: Those of Python run with all tests; the others have tool chains of their own.
PYTHON = (
    Program("Authlib", _python("authlib_program"), (*DISCOVERY, *CLIENT, *VERIFIER, *INTROSPECTION, *KEY)),
    Program("pod", _python("pod_program"), POD),
    Program("requests-oauthlib", _python("requests_oauthlib_program"), CLIENT),
    Program("joserfc", _python("joserfc_program"), VERIFIER),
    Program("PyJWT", _python("pyjwt_program"), VERIFIER),
)
OTHERS = (
    Program("Go", _go, (*DISCOVERY, *CLIENT, *VERIFIER)),
    Program("openid-client", _node("openid-client.js"), (*DISCOVERY, *CLIENT, *INTROSPECTION)),
    Program("oauth4webapi", _node("oauth4webapi.js"), (*DISCOVERY, *CLIENT, *VERIFIER, *INTROSPECTION, *FROM_API)),
    Program("jose", _node("jose.js"), VERIFIER),
    Program("express-oauth2-jwt-bearer", _node("express.js"), VERIFIER),
    Program("Spring Boot", _java("SpringProgram"), (*DISCOVERY, *CLIENT, *VERIFIER, *INTROSPECTION)),
    Program("Nimbus", _java("NimbusProgram"), (*DISCOVERY, *CLIENT, *VERIFIER, *INTROSPECTION)),
    Program("JDK", _java("JdkProgram"), CLEARTEXT),
    Program("Rust", _rust, (*DISCOVERY, *CLIENT, *VERIFIER, *INTROSPECTION)),
)


def cases(programs: Sequence[Program], *marks: pytest.MarkDecorator, steps: Sequence[Step] = ALL) -> list[ParameterSet]:
    """Each program with each of its steps, or with those of ``steps`` alone."""
    return [
        pytest.param(program, step, id=f"{program.name.replace(' ', '-')}-{step.__name__}", marks=marks)
        for program in programs
        for step in program.steps
        if step in steps
    ]


def need(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        raise MissingToolError(f"{tool} is not on PATH: install {_TOOLS[tool]} to test its libraries")
    return found


@cache
def _built(language: str, *command: str) -> Path:
    """A copy of a language's folder in the cache, with ``command`` run in it: what is built stays for the next run."""
    folder = cache_folder().parent.parent / "interop" / language
    with exclusively(folder):
        shutil.rmtree(folder / "src", ignore_errors=True)  # what was renamed since is not compiled
        shutil.copytree(HERE / language, folder, dirs_exist_ok=True)
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"{language} was not built:\n{done.stdout[-3000:]}"
    return folder
