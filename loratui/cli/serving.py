"""The server behind --serve: textual-serve's, on loopback, for pages that it served itself.

Whoever reaches its websocket can do what the person at the bench can. So it listens on this machine only, and refuses
what another page in the same browser, or a name that was pointed at this machine, may send to it.
"""

from __future__ import annotations

import errno
import socket

from aiohttp import web
from textual_serve.server import Server

from loratui.lab.errors import LabError

HOST = "localhost"


class BenchServer(Server):
    """Hands the bench only to its own page."""

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        self._refuse_strangers(request)
        response: web.StreamResponse = await super().handle_index(request)
        return response

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        self._refuse_strangers(request)
        return await super().handle_websocket(request)

    def _refuse_strangers(self, request: web.Request) -> None:
        names = [f"{name}:{self.port}" for name in (HOST, "127.0.0.1", "[::1]")]
        origin = request.headers.get("Origin")
        if request.host not in names or (origin is not None and origin.removeprefix("http://") not in names):
            raise web.HTTPForbidden(text=f"open http://{HOST}:{self.port} in a browser on this machine")

    def initialize_logging(self) -> None:
        """Its own would print every request."""

    async def on_startup(self, app: web.Application) -> None:
        print(f"the bench is at http://{HOST}:{self.port} for every user of this machine; ctrl-c ends it", flush=True)


def serve_bench(command: str, port: int) -> None:
    """Serve until ctrl-c. LabError when something else listens on the port."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                continue  # a machine without it
            raise LabError(
                f"port {port} of {HOST} cannot be had: {error.strerror}; choose another with --port"
            ) from error
        except OverflowError:
            raise LabError(f"--port {port}: a port is a number from 1 to 65535") from None
    BenchServer(command, host=HOST, port=port, title="loratui").serve()
