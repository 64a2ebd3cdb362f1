"""The endpoints that are not hot: issuing tokens, metadata, keys, health, metrics. On Starlette."""

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
