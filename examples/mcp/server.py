"""An MCP server behind a gateway: one tool, streamable HTTP, and nothing about tokens, which the gateway has checked.

Run it:  pip install mcp==2.3.0 && python server.py 127.0.0.1:8000

Nobody but the gateway may reach it: it believes X-Client-Id.
"""

import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings

_IN_STOCK = {"tea": 12, "coffee": 0}

server = MCPServer("stock", version="1.0")


@server.tool()
def stock(article: str, context: Context) -> str:
    """How many of an article are in stock, and who asked: the gateway has put the name of the client there."""
    caller = (context.headers or {}).get("x-client-id", "nobody")
    return f"{_IN_STOCK.get(article, 0)} of {article}, asked by {caller}"


def main() -> None:
    """Serve at ``host:port`` until the end.

    Without sessions, and with answers instead of streams: every message is a call of its own, so the gate is asked
    about each, and nothing stays open that was let through before a suspension.
    """
    host, _, port = sys.argv[1].rpartition(":")
    server.run(
        "streamable-http",
        host=host,
        port=int(port),
        stateless_http=True,
        json_response=True,
        # The gateway chooses Host; browsers cannot come by here.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


if __name__ == "__main__":
    main()
