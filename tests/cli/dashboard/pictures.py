"""``python -m tests.cli.dashboard.pictures FOLDER``: the pictures in docs/; with ``--all``, one of every page."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.cli.dashboard.chromium import NoChromiumError, Tab, chromium, chromium_program
from tests.cli.dashboard.gallery import PAGES, furnish
from tests.cli.dashboard.scene import Objects, running
from tests.kube.fake import FakeServer

#: Pictures in docs/, by their page.
_IN_DOCS = {
    "dashboard": "clients",
    "dashboard-what-if": "retire",
    "dashboard-timeline": "timeline",
    "dashboard-graph": "neighbours",
}
_LIVE = "document.getElementById('connection') && document.readyState === 'complete'"


async def main() -> int:
    """Take them. Exit status 1 where there is no Chromium."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every page: light, dark and 380 px wide")
    args = parser.parse_args()
    try:
        program = await asyncio.to_thread(chromium_program)
    except NoChromiumError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        await _take(program, Path(scratch), args.folder.resolve(), everything=args.all)
    return 0


async def _take(program: str, scratch: Path, folder: Path, *, everything: bool) -> None:
    objects, repository = Objects(), scratch / "repository"
    repository.mkdir()
    await furnish(objects, repository)
    os.chdir(repository)
    async with (
        FakeServer(objects.answer) as server,
        running(server, scratch, Path(), None) as link,
        chromium(program, scratch / "profile") as tab,
    ):
        await tab.go(link, f"location.pathname === '/' && {_LIVE}")
        origin = link.partition("/open")[0]
        if not everything:
            for name, page in _IN_DOCS.items():
                await tab.look(height=500)
                await _picture(tab, origin + PAGES[page], folder / f"{name}.png")
            return
        for name, path in PAGES.items():
            for look, width, dark in (("light", 1200, False), ("dark", 1200, True), ("narrow", 380, False)):
                await tab.look(width=width, dark=dark)
                await _picture(tab, origin + path, folder / f"{name}-{look}.png")


async def _picture(tab: Tab, address: str, path: Path) -> None:
    await tab.go(address, _LIVE)
    await tab.until("document.fonts.ready.then(() => true)")
    await tab.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    await asyncio.to_thread(path.write_bytes, await tab.picture())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
