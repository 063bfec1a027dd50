"""A question that could not be stored is answered later if nobody could say so, after a restart as well."""

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.storage.turns import SqlTurnStore
from tests.whole_bot import met_before


@pytest.fixture
async def met(tmp_path):
    """A stage on which the bot has been, and is not any more."""
    async with met_before(tmp_path) as stage:
        yield stage


def _answers_to(stage, question):
    return [
        each.content
        for each in stage.discord.messages(question.channel)
        if each.author.bot and each.reference and each.reference.message_id == question.id
    ]


@pytest.mark.parametrize("told", [True, False])
async def test_who_was_told_to_ask_again_is_not_answered_after_a_restart(met, monkeypatch, told) -> None:
    receive, refused = SqlTurnStore.receive, []

    async def refuse(store, message, **how):
        if message.text == "in vain":
            refused.append(message)
            raise DatabaseUnavailable("it is locked")
        return await receive(store, message, **how)

    with monkeypatch.context() as patch:
        patch.setattr(SqlTurnStore, "receive", refuse)
        async with met.bot():
            await met.ask("before")
            if not told:
                met.discord.faults.add("POST", r"/messages$", status=400, code=50035, times=1)
            question = await met.discord.post(met.general, met.you, "in vain")
            await met.discord.until(lambda: refused and (not told or met.reply_to(question)))
    async with met.bot():
        await met.ask("in vain", author=met.ada)

    sentences = [DatabaseUnavailable.user_message] if told else ["All good, how may I help you?"]
    assert _answers_to(met, question) == sentences
    assert str(met.prompts()[-1]).count("in vain") == (1 if told else 2)
