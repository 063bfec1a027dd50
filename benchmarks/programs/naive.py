"""The bot of the tutorials: discord.py, openai, a dictionary. With TYPING set, it waits for its typing request."""

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path

import aiohttp
import discord
import openai
import yarl

SECONDS_BETWEEN_EDITS = 1.0
HISTORIES = {int(key): turns for key, turns in json.loads(Path(os.environ["HISTORIES"]).read_text()).items()}

model = openai.AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="none")


class NaiveBot(discord.Client):
    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        history = HISTORIES.setdefault(message.channel.id, [])
        history.append({"role": "user", "content": message.content})
        typing = message.channel.typing() if os.environ.get("TYPING") else contextlib.nullcontext()
        async with typing:
            text = await self.stream_answer(message, history)
        history.append({"role": "assistant", "content": text})

    async def stream_answer(self, message: discord.Message, history: list) -> str:
        messages = [{"role": "system", "content": "You are a friendly assistant!"}, *history]
        stream = await model.chat.completions.create(model="gpt-5.4", messages=messages, stream=True)
        text, reply, edited = "", None, 0.0
        async for chunk in stream:
            if not chunk.choices:
                continue
            text += chunk.choices[0].delta.content or ""
            if text and time.monotonic() - edited > SECONDS_BETWEEN_EDITS:
                reply = await (reply.edit(content=text) if reply else message.reply(text))
                edited = time.monotonic()
        return (await reply.edit(content=text)).content


async def main() -> None:
    discord.http.Route.BASE = os.environ["DISCORD_API_URL"]
    async with aiohttp.ClientSession() as http, http.get(f"{discord.http.Route.BASE}/gateway") as found:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL((await found.json())["url"])
    intents = discord.Intents.default()
    intents.message_content = True
    async with NaiveBot(intents=intents) as bot:
        await bot.start(os.environ["DISCORD_TOKEN"])


asyncio.run(main())
