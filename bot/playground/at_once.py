"""A busy channel: lines that several people say at the same time, and what they see until all is answered."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TextIO

from bot.playground.lines import HELP, Help, Quit, read_line
from bot.playground.loopback import Channel, Message, Watch
from bot.playground.loopback.changes import Seen
from bot.playground.scene import Asked, NotPossibleError, Scene
from bot.playground.script import Answered, NoAnswerError, answered_well
from bot.playground.shown import file_lines, in_one_line, shown_lines

LINE_CHARACTERS = 69  # behind the time; so it fits into a terminal


async def act_at_once(
    scene: Scene, lines: Sequence[str], *, answered: Answered, monotonic: Callable[[], float], out: TextIO
) -> bool:
    """Say all the lines without waiting for answers; True if all went well.

    Printed is what happens, with the seconds since the beginning, and in the end what stands in the channels.
    """
    await scene.connected()
    async with scene.loopback.watch() as watch:
        film = _Film(scene, monotonic=monotonic, out=out)
        following = asyncio.create_task(film.follow(watch))
        try:
            asked, possible = await _say(scene, lines, film)
            endings = await asyncio.gather(*(_ending(scene, each, film, answered=answered) for each in asked))
        finally:
            watch.close()
            await following
    for channel in dict.fromkeys(each.channel for each in asked):
        film.show_channel(channel)
    return possible and all(endings)


async def _say(scene: Scene, lines: Sequence[str], film: "_Film") -> tuple[list[Asked], bool]:
    """What is owed an answer, and whether all could be said."""
    asked, possible = [], True
    for text in lines:
        line = read_line(text, addressed=scene.addressed)
        if isinstance(line, Quit):
            break
        if isinstance(line, Help):
            film.note(HELP)
        elif line is not None:
            try:
                owed = await scene.perform(line)
            except NotPossibleError as error:
                film.note(f"! {error}")
                possible = False
            else:
                asked += [owed] if owed else []
    return asked, possible


async def _ending(scene: Scene, asked: Asked, film: "_Film", *, answered: Answered) -> bool:
    try:
        return await answered_well(scene, asked, answered=answered)
    except NoAnswerError as error:
        film.note(f"! {error}")
        return False


class _Film:
    """What happens, a line each."""

    def __init__(self, scene: Scene, *, monotonic: Callable[[], float], out: TextIO) -> None:
        self._scene = scene
        self._monotonic = monotonic
        self._out = out
        self._began = monotonic()
        self._began_in = scene.channel

    async def follow(self, watch: Watch) -> None:
        async for seen in watch:
            if seen.kind != "acknowledged" or (seen.message and seen.message.is_loading):
                self.note(self._what(seen))

    def note(self, text: str) -> None:
        self._print(f"{self._monotonic() - self._began:6.1f} s  {text}")

    def show_channel(self, channel: Channel) -> None:
        """What stands there in the end."""
        self._print(f"\n#{channel.name}")
        for message in self._scene.visible(channel):
            files = file_lines(message.attachments, self._scene.downloads)
            lines = [*shown_lines(self._scene.readable(message.content)), *files]
            self._print(f"{_speaker(message)}: " + "\n  ".join(line.text for line in lines))

    def _what(self, seen: Seen) -> str:
        where = "" if seen.channel is self._began_in else f"#{seen.channel.name} "
        message = seen.message
        if message is None:
            return f"{where}{seen.user.name if seen.user else '?'} ({seen.kind})"
        if message.is_loading:
            return f"{where}{_speaker(message)} (thinking…)"
        words = in_one_line(self._scene.readable(message.content))
        if seen.kind == "posted":
            return _beginning(f"{where}{_speaker(message)}: ", words)
        if seen.kind == "edited":
            return _end(f"{where}{_speaker(message)} (edited): ", words)
        return f"{where}{_speaker(message)} ({seen.kind})"

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def _beginning(head: str, words: str) -> str:
    room = LINE_CHARACTERS - len(head)
    return head + (words if len(words) <= room else words[: room - 1] + "…")


def _end(head: str, words: str) -> str:
    """What was added is at the end."""
    room = LINE_CHARACTERS - len(head)
    return head + (words if len(words) <= room else "…" + words[1 - room :])


def _speaker(message: Message) -> str:
    asked_by = message.interaction.user if message.interaction else None
    if message.replied_to is not None:
        asked_by = message.replied_to.author
    return f"{message.author.name} to {asked_by.name}" if asked_by else message.author.name
