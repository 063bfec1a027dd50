"""The child process that the program under load talks to: a strict Discord 30 ms away, and a model server."""

import asyncio
import time
from contextlib import suppress
from dataclasses import asdict

from aiohttp import web

from benchmarks.load.record import Question, Record, Request, Standing
from benchmarks.load.script import Script, answer_ended_by, number_asked, question_text
from benchmarks.model_stream import LATENCY_SECONDS, chunk, usage
from benchmarks.serving import serve
from bot.playground.loopback import LoopbackDiscord
from bot.playground.loopback.record import RecordedRequest

SECONDS_FOR_MORE = 2.0  # after the last answer: what is posted twice may come late


class Stage:
    def __init__(self, discord: LoopbackDiscord) -> None:
        self._discord = discord
        self._script = Script(pieces=1, gap_seconds=0.0)
        self._last_number = 0
        self._model_asked: dict[int, float] = {}
        self._answered: set[int] = set()
        self._answered_at = 0.0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._complete),
            web.post("/stage/people", self._people),
            web.post("/stage/end_sessions", self._end_sessions),
            web.post("/stage/play", self._play),
        ]

    async def watch(self) -> None:
        """Note which answers stand, until cancelled."""
        async with self._discord.watch() as watch:
            async for seen in watch:
                if seen.message is None or seen.message.author is not self._discord.bot_user:
                    continue
                number = answer_ended_by(seen.message.content)
                if number is not None:
                    self._answered.add(number)
                    self._answered_at = time.monotonic()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        at = time.monotonic()
        number = number_asked((await request.json())["messages"][-1]["content"])
        self._model_asked.setdefault(number, at)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with suppress(ConnectionResetError):  # who asked may have ended
            await response.prepare(request)
            *pieces, last = self._script.pieces_of(number)
            due = time.monotonic()
            for piece in pieces:
                await response.write(chunk(piece))
                due += self._script.gap_seconds
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await response.write(chunk(last) + chunk("", finish_reason="stop") + usage() + b"data: [DONE]\n\n")
        return response

    async def _people(self, request: web.Request) -> web.Response:
        """People who have said nothing yet; their ids."""
        count = (await request.json())["count"]
        made = [self._discord.add_user(f"person-{time.monotonic_ns()}") for _ in range(count)]
        return web.json_response([user.id for user in made])

    async def _end_sessions(self, _request: web.Request) -> web.Response:
        """For good: what happens until the program begins another one, it is not told of."""
        self._discord.faults.invalidate_session(resumable=False)
        return web.json_response(None)

    async def _play(self, request: web.Request) -> web.Response:
        """Ask what the schedule says, wait for the awaited answers, and tell what there was to see.

        The schedule's entries: seconds from now, channel, author, and whether the answer is awaited. The wait ends
        when no awaited answer has come for *quiet_seconds*.
        """
        asked = await request.json()
        self._script = Script(**asked["script"])
        self._discord.requests.clear()
        self._model_asked.clear()
        questions, awaited = [], set()
        began = time.monotonic()
        for seconds, channel, author, is_awaited in asked["schedule"]:
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))  # others have their turn in between
            question = await self._ask(channel, author)
            questions.append(question)
            if is_awaited:
                awaited.add(question.number)
        await self._until_answered(awaited, quiet_seconds=asked["quiet_seconds"])
        await asyncio.sleep(SECONDS_FOR_MORE)
        channels = {question.channel for question in questions}
        record = Record(
            questions=questions,
            requests=[_request(each) for each in self._discord.requests if each.arrived_at is not None],
            standing=[each for channel in channels for each in self._standing(channel, questions[0].message_id)],
            model_asked=self._model_asked,
        )
        return web.json_response(asdict(record))

    async def _ask(self, channel_id: int, author_id: int) -> Question:
        self._last_number += 1
        world, at = self._discord.world, time.monotonic()
        text = question_text(self._discord.bot_user.mention, self._last_number)
        message = await self._discord.post(world.channels[channel_id], world.users[author_id], text)
        return Question(
            number=self._last_number, channel=channel_id, author=author_id, message_id=message.id, sent_at=at
        )

    async def _until_answered(self, awaited: set[int], *, quiet_seconds: float) -> None:
        self._answered_at = time.monotonic()
        with suppress(TimeoutError):
            while awaited - self._answered:
                before, count = self._answered_at, len(self._answered)
                left = before + quiet_seconds - time.monotonic()
                await self._discord.until(lambda count=count: len(self._answered) > count, seconds=left)

    def _standing(self, channel_id: int, after: int) -> list[Standing]:
        """The bot's messages that are newer than *after*."""
        return [
            Standing(
                channel=channel_id,
                message_id=message.id,
                reply_to=message.replied_to.id if message.replied_to else None,
                text=message.content,
            )
            for message in self._discord.messages(self._discord.world.channels[channel_id])
            if message.author is self._discord.bot_user and message.id > after
        ]


def _request(recorded: RecordedRequest) -> Request:
    content = recorded.body.get("content") if isinstance(recorded.body, dict) else None
    return Request(
        method=recorded.method,
        route=recorded.route,
        arrived_at=recorded.arrived_at or 0.0,
        status=recorded.status,
        ends=answer_ended_by(content) if content else None,
    )


async def main() -> None:
    async with LoopbackDiscord(latency=LATENCY_SECONDS) as discord:
        stage = Stage(discord)
        watching = asyncio.create_task(stage.watch())
        await serve(discord, stage.routes(), largest_request=2**26)
        watching.cancel()


asyncio.run(main())
