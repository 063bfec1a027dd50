"""What is possible at all: aiohttp, no library, no storage, no care. First words as they come, then the whole."""

import asyncio
import json
import os
from pathlib import Path

import aiohttp

DISCORD, MODEL = os.environ["DISCORD_API_URL"], os.environ["OPENAI_BASE_URL"]
AUTHORIZATION = {"Authorization": f"Bot {os.environ['DISCORD_TOKEN']}"}
INTENTS = (1 << 0) | (1 << 9) | (1 << 12) | (1 << 15)
HISTORIES = json.loads(Path(os.environ["HISTORIES"]).read_text())


async def main() -> None:
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        async with http.get(f"{DISCORD}/gateway") as found:
            gateway = (await found.json())["url"]
        async with http.ws_connect(f"{gateway}?v=10&encoding=json", max_msg_size=0) as socket:
            async for frame in socket:
                event = json.loads(frame.data)
                if event["op"] == 10:
                    tasks.create_task(beat(socket, event["d"]["heartbeat_interval"] / 1000))
                    identity = {"token": os.environ["DISCORD_TOKEN"], "intents": INTENTS, "properties": {}}
                    await socket.send_json({"op": 2, "d": identity})
                elif event["t"] == "MESSAGE_CREATE" and not event["d"]["author"].get("bot"):
                    tasks.create_task(answer(http, event["d"]))


async def beat(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await socket.send_json({"op": 1, "d": None})


async def answer(http: aiohttp.ClientSession, message: dict) -> None:
    messages = [*HISTORIES.get(message["channel_id"], []), {"role": "user", "content": message["content"]}]
    url, text, shown, posted = f"{DISCORD}/channels/{message['channel_id']}/messages", "", "", None
    body = {"model": "gpt-5.4", "stream": True, "messages": messages}
    async with http.post(f"{MODEL}/chat/completions", json=body) as stream:
        async for line in stream.content:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                text += choices[0]["delta"]["content"] if choices else ""
                if text and posted is None:
                    shown, posted = text, asyncio.create_task(write(http, "POST", url, text))
    message_id = await posted
    if text != shown:
        await write(http, "PATCH", f"{url}/{message_id}", text)


async def write(http: aiohttp.ClientSession, method: str, url: str, text: str) -> str:
    async with http.request(method, url, json={"content": text}, headers=AUTHORIZATION) as response:
        return (await response.json())["id"]


asyncio.run(main())
