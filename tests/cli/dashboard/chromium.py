"""A real browser, without a window, spoken to by the DevTools protocol; it reaches no other machine."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.toolkit.waiting import async_eventually

#: Installing it from Debian's packages fetches some 100 MB.
_INSTALL_SECONDS = 900
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60.0


def find_chromium() -> str | None:
    """The program, where it is installed."""
    return next((path for name in _NAMES if (path := shutil.which(name)) is not None), None)


class NoChromiumError(Exception):
    """There is no Chromium; the message says why."""


def chromium_program() -> str:
    """The program, installed first by apt-get where that may be done. Raises NoChromiumError."""
    found = find_chromium()
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoChromiumError("Chromium is not on PATH, and only root can install it with apt-get: install chromium")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        _apt(command)
    found = find_chromium()
    if found is None:
        raise NoChromiumError("apt-get has installed chromium, but it is not on PATH")
    return found


def _apt(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", "--quiet", *command],
            env=environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NoChromiumError(f"apt-get {command[0]} took longer than {_INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        raise NoChromiumError(f"apt-get {' '.join(command)} failed: {done.stderr.strip()[-300:]}")


@dataclass
class Tab:
    """One page of the browser."""

    socket: aiohttp.ClientWebSocketResponse
    #: What the page complained of: blocked by its policy, uncaught errors.
    complaints: list[str] = field(default_factory=list)
    #: Every address that it asked for.
    asked: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_SECONDS):
            while True:
                message = await self.socket.receive_json()
                if message.get("id") == number:
                    assert "error" not in message, (method, message)
                    result: dict[str, Any] = message["result"]
                    return result
                self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        given = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded":
                self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
            case "Runtime.exceptionThrown":
                self.complaints.append(str(given["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.asked.append(given["request"]["url"])

    async def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        await async_eventually(script, lambda: self.run(f"Boolean({script})"), pause=0.02)

    async def go(self, address: str, until: str) -> None:
        """Open an address and wait for what it shows."""
        await self.send("Page.navigate", url=address)
        await self.until(f"document.readyState === 'complete' && ({until})")

    async def press(self, key: str) -> None:
        """Press a key."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, **(text if kind == "keyDown" else {}))

    async def look(self, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """How large the window is, and whether its owner prefers dark pages."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self) -> bytes:
        """The whole page, as PNG."""
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def chromium(program: str, folder: Path) -> AsyncIterator[Tab]:
    """Run the browser with a profile of its own."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
               f"--user-data-dir={folder}", "about:blank"]  # fmt: skip
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *options, stdout=nowhere, stderr=nowhere)
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(10 * _SECONDS):
            port = await _port(folder / "DevToolsActivePort")
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (page,) = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await tab.send(f"{domain}.enable")
                yield tab
    finally:
        process.terminate()
        await process.wait()


async def _port(path: Path) -> int:
    """Where it listens, which it writes down once it does."""
    return await async_eventually("the browser listens", lambda: _first_line(path), pause=0.02)


def _first_line(path: Path) -> int | None:
    text = path.read_text() if path.exists() else ""
    return int(text.split("\n")[0]) if "\n" in text else None
