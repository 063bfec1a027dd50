"""A conversation without a keyboard: lines given beforehand, the exchange printed plainly."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TextIO

from bot.playground.lines import (
    AGAIN,
    HELP,
    Call,
    Choose,
    Delete,
    Edit,
    Help,
    Line,
    Press,
    Quit,
    Say,
    Switch,
    read_line,
)
from bot.playground.loopback import Interaction, Message
from bot.playground.scene import CHAT, YOU, Asked, Deed, NotPossibleError, Scene, version
from bot.playground.shown import file_lines, shown_lines

ANSWER_SECONDS = 360.0  # longer than the bot waits for its model

# The id of a question (message or interaction) to: it was answered. False: it got a sentence that says why not.
Answered = Callable[[int], Awaitable[bool]]


class NoAnswerError(Exception):
    """Nothing came at all; the message tells a person so."""


async def act(scene: Scene, lines: Sequence[str], *, answered: Answered, out: TextIO) -> bool:
    """Say the lines one after the other, each when the one before is answered. True if all went well."""
    script = _Script(scene, answered=answered, out=out)
    await scene.connected()
    for text in lines:
        line = read_line(text, addressed=scene.addressed)
        if isinstance(line, Quit):
            break
        if line is not None:
            await script.follow(line)
    return script.went_well


async def answered_well(scene: Scene, asked: Asked, *, answered: Answered) -> bool:
    """Wait for the answer; False if it is a sentence that says why there is none. Raises NoAnswerError."""
    question = asked.question
    try:
        if isinstance(question, Message) or question.command == CHAT:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answered(question.id)
        if question.pressed is not None:
            return await _rewritten(scene, asked, question)
        await scene.loopback.until(lambda: question.original or question.unanswered)
    except TimeoutError:
        raise NoAnswerError("No answer came.") from None
    if question.unanswered:
        raise NoAnswerError(f"The bot did not answer {question.invocation.shown}.")
    return True


async def _rewritten(scene: Scene, asked: Asked, press: Interaction) -> bool:
    """False if there was nothing but a sentence. Raises TimeoutError and NoAnswerError."""
    await scene.loopback.until(
        lambda: press.unanswered or press.original or press.followups or scene.rewritten(asked),
        seconds=ANSWER_SECONDS,
    )
    if press.unanswered:
        raise NoAnswerError(f"The bot did not take [{AGAIN}].")
    return not press.original and not press.followups


class _Script:
    def __init__(self, scene: Scene, *, answered: Answered, out: TextIO) -> None:
        self.went_well = True
        self._scene = scene
        self._answered = answered
        self._out = out

    async def follow(self, line: Line) -> None:
        if isinstance(line, Help | Quit):
            self._print(HELP)
            return
        before = self._scene.versions(self._scene.channel)
        self._print(_announcement(line))
        try:
            asked = await self._scene.perform(line)
        except NotPossibleError as error:
            self._fail(str(error))
            return
        if asked is None:
            return
        try:
            self.went_well &= await answered_well(self._scene, asked, answered=self._answered)
        except NoAnswerError as error:
            self._fail(str(error))
        for message in self._scene.visible(asked.channel):
            if version(message) not in before and message.author is self._scene.bot:
                self._print_said(message)

    def _print_said(self, message: Message) -> None:
        lines = [
            *shown_lines(self._scene.readable(message.content)),
            *file_lines(message.attachments, self._scene.downloads),
        ]
        self._print(f"{message.author.name}: " + "\n  ".join(line.text for line in lines))

    def _fail(self, sentence: str) -> None:
        self.went_well = False
        self._print(f"! {sentence}")

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def _announcement(line: Deed) -> str:
    match line:
        case Say(speaker=speaker, text=text):
            said = f"{speaker or YOU}: {text}"
        case Call(command=command, text=text):
            said = f"{YOU}: /{command} {text}".rstrip()
        case Switch(channel=channel):
            said = f"#{channel}"
        case Edit(text=text):
            said = f"{YOU} (edited): {text}"
        case Delete():
            said = f"{YOU} (deleted the last message)"
        case Press(label=label):
            said = f"{YOU} (pressed [{label}])"
        case Choose(command=command):
            said = f"{YOU} (chose {command})"
    return said.replace("\n", "\n  ")
