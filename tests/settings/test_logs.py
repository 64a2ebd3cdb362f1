"""Logs of both programs."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from kopf import OperatorSettings

from apiclients.kube.errors import where
from apiclients.settings.common import LogFormat, LogLevel
from apiclients.settings.logs import configure_logs


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("uvicorn.error", "kopf"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogFormat.JSON, LogLevel.INFO)
    logging.getLogger("apiclients.gate").info("client %s", "n/a", extra={"more": 1})
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "client n/a"
    assert (line["level"], line["logger"], line["more"]) == ("INFO", "apiclients.gate", 1)
    assert datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S%z")


def test_json_of_what_libraries_add(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogFormat.JSON, LogLevel.INFO)
    reference = {"kind": "ApiClient", "name": "billing"}
    extra = {"settings": OperatorSettings(), "k8s_skip": True, "k8s_ref": reference, "lock": threading.Lock()}
    logging.getLogger("kopf.objects").warning("a handler failed", extra=extra)
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "a handler failed"
    assert (line["k8s_ref"], line["lock"]) == (reference, "lock")
    assert not line.keys() & {"settings", "k8s_skip"}


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogFormat.TEXT, LogLevel.WARNING)
    logging.getLogger("apiclients.gate").info("not this")
    logging.getLogger("apiclients.gate").warning("but this")
    assert capsys.readouterr().err.endswith(" WARNING apiclients.gate: but this\n")


def test_kopf_says_only_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogFormat.JSON, LogLevel.DEBUG)
    logging.getLogger("kopf.objects").info("not this")
    assert not capsys.readouterr().err


@pytest.mark.rule(23)
def test_errors_are_placed_and_not_quoted() -> None:
    def fail() -> None:
        raise ValueError("CANARY")

    async def in_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(fail))

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(in_group())
    assert "ValueError" in where(caught.value)
    assert "fail" in where(caught.value)
    assert "CANARY" not in where(caught.value)
