"""A machine that slept: its clocks disagree, and its connection is dead before anybody notices."""

import asyncio

from bot.discord import catch_up, connecting
from bot.storage.turns import SqlTurnStore
from tests.clock import LeapingClock
from tests.whole_bot import met_before

HALF_OF_THE_SLEEP = 600.0


async def test_what_was_said_while_the_machine_slept_is_answered_where_its_session_is_over(
    tmp_path, monkeypatch
) -> None:
    written, write = asyncio.Event(), SqlTurnStore.write_marks

    async def note(store, marks):
        await write(store, marks)
        written.set()

    monkeypatch.setattr(connecting, "SECONDS_BETWEEN_SESSIONS", 0.0)
    monkeypatch.setattr(catch_up, "SECONDS_BETWEEN_MARKS", 0.01)
    monkeypatch.setattr(SqlTurnStore, "write_marks", note)

    async with met_before(tmp_path, clock=(clock := LeapingClock())) as stage, stage.bot():
        await stage.ask("before")
        for session in stage.discord.sessions:
            session.line.end_session()  # its connection stays: nobody notices yet
        clock.leap(HALF_OF_THE_SLEEP)
        missed = await stage.discord.post(stage.general, stage.you, "missed")
        clock.leap(HALF_OF_THE_SLEEP)
        for _ in range(2):  # the first may have been on its way
            written.clear()
            async with asyncio.timeout(10):
                await written.wait()
        stage.discord.faults.cut_gateway()

        await stage.discord.until(lambda: stage.reply_to(missed))
