r"""An agent: it knows the URL of an MCP server, its issuer and its own credentials, and finds the rest.

Run it:  pip install mcp==2.3.0
         MCP_URL=https://mcp.example.com/mcp ISSUER=https://tokens.example.com \
             CLIENT_ID=... CLIENT_SECRET=... python agent.py

Each line of standard input is an article that it looks up. Its first call gets 401, which leads to the metadata of the
MCP server (RFC 9728), those to the metadata of the issuer (RFC 8414), and there it gets a token (RFC 6749, 4.4).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp import Client, MCPError
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from mcp.types import TextContent

_SECONDS = 20.0


class Memory:
    """Keeps the token from one session to the next, in this process and nowhere else."""

    def __init__(self) -> None:
        self._token: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Nothing to keep: the agent was declared and does not register itself."""


@asynccontextmanager
async def session(memory: Memory) -> AsyncIterator[Client]:
    """A session with the MCP server. A token request that is refused ends it with OAuthFlowError, in a group."""
    url = os.environ["MCP_URL"]
    provider = ClientCredentialsOAuthProvider(
        server_url=url,
        storage=memory,
        client_id=os.environ["CLIENT_ID"],
        client_secret=os.environ["CLIENT_SECRET"],
        issuer=os.environ["ISSUER"],  # the secret is sent to no other, wherever a server may lead
    )
    async with (
        httpx2.AsyncClient(auth=provider, timeout=_SECONDS) as http,
        Client(streamable_http_client(url, http_client=http), read_timeout_seconds=_SECONDS) as client,
    ):
        yield client


async def look_up(article: str, memory: Memory) -> str:
    """Ask the MCP server."""
    async with session(memory) as client:
        result = await client.call_tool("stock", {"article": article})
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


async def work() -> None:
    """One line of answer for each line that is asked. A stopped agent says so, and tries again with the next one."""
    memory = Memory()
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            print(await look_up(line.strip(), memory), flush=True)
        except* OAuthFlowError:
            print("stopped: no token is accepted, and none is issued", flush=True)
        except* (MCPError, httpx2.HTTPError) as failed:
            print(f"failed: {failed.exceptions[0]!r}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    asyncio.run(work())
