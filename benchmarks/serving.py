"""What every stage serves, and how it is served to the process that started it."""

import asyncio
import json
import sys
import time

from aiohttp import web

from bot.playground.loopback import LoopbackDiscord

SECONDS_TO_CONNECT = 30


class Furnishing:
    """Channels to ask in, and waiting for a bot to come and go."""

    def __init__(self, discord: LoopbackDiscord) -> None:
        self._discord = discord

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/stage/channels", self._channels),
            web.post("/stage/ready", self._ready),
            web.post("/stage/empty", self._empty),
        ]

    async def _channels(self, request: web.Request) -> web.Response:
        """Make channels in which nothing was said; their ids."""
        count = (await request.json())["count"]
        made = [
            self._discord.add_channel(self._discord.guild, f"bench-{time.monotonic_ns()}") for _ in range(count)
        ]
        return web.json_response([channel.id for channel in made])

    async def _ready(self, _request: web.Request) -> web.Response:
        """Wait until a bot is connected."""
        await self._discord.until(lambda: bool(self._discord.sessions), seconds=SECONDS_TO_CONNECT)
        return web.json_response(None)

    async def _empty(self, _request: web.Request) -> web.Response:
        """Wait until no bot is connected any more."""
        await self._discord.until(lambda: not self._discord.sessions, seconds=SECONDS_TO_CONNECT)
        return web.json_response(None)


async def serve(discord: LoopbackDiscord, routes: list[web.RouteDef], *, largest_request: int) -> None:
    """Print the addresses, and serve until the process that started us ends. *largest_request*: bytes."""
    app = web.Application(client_max_size=largest_request)
    app.add_routes([*Furnishing(discord).routes(), *routes])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    addresses = {"model_url": model_url, "discord_url": discord.api_url, "token": discord.token}
    print(json.dumps(addresses), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
