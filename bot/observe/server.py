"""/metrics, /healthz and /readyz over HTTP, for the operator's own network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.core.errors import StartupRefused
from bot.observe.metrics import Metrics
from bot.observe.readiness import Readiness


@asynccontextmanager
async def serve(*, host: str, port: int, metrics: Metrics, readiness: Readiness) -> AsyncIterator[int]:
    """Answer until the block ends; gives the port. Raises StartupRefused where that is taken."""

    async def metrics_page(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(["ownership"] if readiness.lost else [])

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(await readiness.obstacles())

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics_page), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise StartupRefused(
                f"Nothing can be served at {host}:{port} (METRICS_HOST, METRICS_PORT): {error.strerror}. "
                "Name another port, or leave METRICS_PORT out."
            ) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _answer(obstacles: list[str]) -> web.Response:
    return web.json_response({"not_ready": obstacles}, status=503 if obstacles else 200)
