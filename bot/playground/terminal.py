"""A channel in the terminal: the transcript grows above, while you type below."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, UIContent, UIControl, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import TextArea

from bot.core.wording import counted
from bot.playground.lines import HELP, Help, Line, Quit, read_line
from bot.playground.loopback import Watch
from bot.playground.play import Recall
from bot.playground.scene import NotPossibleError, Scene
from bot.playground.transcript import Row, Transcript

SECONDS_BETWEEN_REDRAWS = 1.0  # so that a typing indicator goes out by itself
INPUT_ROWS = 5  # at most
TURNS_RECALLED = 4  # whose words are shown of what the bot remembers

STYLE = Style.from_dict(
    {
        "bar": "reverse",
        "bar.here": "reverse bold",
        "bot": "ansicyan bold",
        "person": "ansigreen bold",
        "about": "ansibrightblack",
        "note": "ansiyellow",
        "prompt": "bold",
    }
)


class Terminal:
    def __init__(self, scene: Scene, *, model_sentence: str, recall: Recall) -> None:
        self._scene = scene
        self._recall = recall
        self._transcript = Transcript(readable=scene.readable, downloads=scene.downloads, monotonic=time.monotonic)
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._visited: set[int] = set()
        self._view = _View(lambda width, last: self._transcript.rows(scene.channel, width=width, last=last))
        self._app = self._application()
        self._note(model_sentence)
        self._note("Type a message and press Enter. /help tells what else there is, Ctrl-D leaves.")

    async def run(self) -> int:
        """Until the person leaves. Raises TimeoutError if the bot does not come."""
        # uvloop makes it non-blocking for good, and the shell has the same terminal afterwards.
        keyboard = self._app.input.fileno()
        blocking = os.get_blocking(keyboard)
        async with self._scene.loopback.watch() as watch:
            tasks = [
                asyncio.create_task(self._app.run_async(handle_sigint=False, set_exception_handler=False)),
                asyncio.create_task(self._follow(watch)),
                asyncio.create_task(self._perform_lines()),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                try:
                    await self._leave(tasks)
                finally:
                    os.set_blocking(keyboard, blocking)
        return 0

    async def _leave(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """End everything; whatever had gone wrong is raised, and the terminal is as it was before."""
        if self._app.is_running and not self._app.is_done:
            self._app.exit()
        for task in tasks[1:]:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended

    async def _follow(self, watch: Watch) -> None:
        async for seen in watch:
            self._transcript.see(seen)
            self._app.invalidate()

    async def _perform_lines(self) -> None:
        """One after the other, from the moment the bot is there."""
        await self._scene.connected()
        while True:
            await self._visit()
            self._app.invalidate()
            await self._perform(await self._lines.get())

    async def _perform(self, line: Line) -> None:
        if isinstance(line, Help | Quit):
            self._note(HELP)
            return
        try:
            await self._scene.perform(line)
        except NotPossibleError as error:
            self._note(str(error))
        self._view.to_newest()

    async def _visit(self) -> None:
        """On the first look at a channel, tell what the bot remembers of it."""
        channel = self._scene.channel
        if channel.id in self._visited:
            return
        self._visited.add(channel.id)
        remembered = await self._recall(channel.id, TURNS_RECALLED)
        if count := remembered.turns:
            which = ":" if count == len(remembered.newest) else ", most recently:"
            self._note(f"The bot remembers {counted(count, 'earlier message')} of #{channel.name}{which}")
        for turn in remembered.newest:
            speaker = turn.label or self._scene.bot.name
            self._transcript.recall(channel, f"{speaker}: {self._scene.readable(turn.text)}")

    def _note(self, text: str) -> None:
        self._transcript.note(self._scene.channel, text)
        self._view.to_newest()

    def _accept(self, buffer: Buffer) -> bool:
        line = read_line(buffer.text, addressed=self._scene.addressed)
        if isinstance(line, Quit):
            self._app.exit()
        elif line is not None:
            self._lines.put_nowait(line)
        return False  # the input is emptied

    # -- what is on the screen

    def _application(self) -> Application[None]:
        typed = TextArea(
            multiline=False,
            prompt=lambda: [("class:prompt", f"#{self._scene.channel.name} > ")],
            accept_handler=self._accept,
            height=Dimension(min=1, max=INPUT_ROWS),
            wrap_lines=True,
            dont_extend_height=True,
        )
        rows = HSplit(
            [
                Window(FormattedTextControl(self._bar), height=1, style="class:bar"),
                Window(self._view),
                Window(FormattedTextControl(self._status), height=1, style="class:about"),
                typed,
            ]
        )
        return Application(
            layout=Layout(rows, focused_element=typed),
            key_bindings=self._keys(typed.buffer),
            style=STYLE,
            full_screen=True,
            refresh_interval=SECONDS_BETWEEN_REDRAWS,
        )

    def _keys(self, buffer: Buffer) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d", filter=Condition(lambda: not buffer.text))
        def leave(event: KeyPressEvent) -> None:
            event.app.exit()

        @keys.add("pageup")
        def back(_: KeyPressEvent) -> None:
            self._view.scroll(1)

        @keys.add("pagedown")
        def forth(_: KeyPressEvent) -> None:
            self._view.scroll(-1)

        return keys

    def _bar(self) -> StyleAndTextTuples:
        here = self._scene.channel
        self._transcript.read(here)
        bar: StyleAndTextTuples = [("", " confab playground ")]
        for channel in self._scene.channels:
            unread = self._transcript.unread(channel)
            new = f" ({unread} new)" if unread else ""
            bar.append(("class:bar.here" if channel is here else "", f"  #{channel.name}{new}"))
        return bar

    def _status(self) -> StyleAndTextTuples:
        if not self._scene.loopback.sessions:
            return [("", "The bot is connecting…")]
        if self._view.scrolled:
            return [("", "There is more below: Page Down")]
        typing = self._transcript.typing(self._scene.channel)
        return [("", f"{' and '.join(typing)} is typing…")] if typing else []


class _View(UIControl):
    """The newest rows at the bottom, or, scrolled back, older ones. *rows* gets a width and a number of rows."""

    def __init__(self, rows: Callable[[int, int], list[Row]]) -> None:
        self.scrolled = 0
        self._rows = rows
        self._height = 0

    def scroll(self, pages: int) -> None:
        self.scrolled = max(0, self.scrolled + pages * max(1, self._height - 2))

    def to_newest(self) -> None:
        self.scrolled = 0

    def create_content(self, width: int, height: int) -> UIContent:
        self._height = height
        rows = self._rows(width, height + self.scrolled)
        self.scrolled = min(self.scrolled, max(0, len(rows) - height))
        end = len(rows) - self.scrolled
        shown = rows[max(0, end - height) : end]
        shown = [*([[]] * (height - len(shown))), *shown]

        def line(number: int) -> StyleAndTextTuples:
            return list(shown[number])

        return UIContent(get_line=line, line_count=len(shown), show_cursor=False)
