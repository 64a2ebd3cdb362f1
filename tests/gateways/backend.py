"""An API behind the gateways that answers with what reached it, and echoes WebSockets."""

import asyncio
import hashlib
import sys

from aiohttp import WSMsgType, web

#: Every answer of the API has it, so that a caller knows who answered.
MARK = "X-Api-Answered"


async def calls(request: web.BaseRequest) -> web.StreamResponse:
    """What this request was, as JSON; ``/status/NUMBER`` answers that status."""
    if request.path == "/healthz":
        return web.Response(text="ok\n")
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _echo(request)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await request.read()
    status = int(request.path.rpartition("/")[2]) if request.path.startswith("/status/") else 200
    told = {
        "method": request.method,
        "path": request.raw_path,
        "headers": [[name.decode(), value.decode()] for name, value in request.raw_headers],
        "length": len(body),
        "digest": hashlib.sha256(body).hexdigest(),
    }
    return web.json_response(told, status=status, headers={MARK: "yes"})


async def _echo(request: web.BaseRequest) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json([[name.decode(), value.decode()] for name, value in request.raw_headers])
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def _serve(port: int) -> None:
    # Headers as large as any gateway lets through.
    runner = web.ServerRunner(web.Server(calls, max_field_size=200_000, max_line_size=200_000))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
