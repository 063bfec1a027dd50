"""Links are opened when their question is taken up: what they lead to is read as it is then, if it may be then.

Their rows are there since the question was stored, so that deletions find them; they are empty until then.
"""

from dataclasses import replace

from bot.core.messages import TakenUp, Turn
from bot.core.ports import LinkReader, TurnStore


class Links:
    def __init__(self, *, store: TurnStore, reader: LinkReader) -> None:
        self._store = store
        self._reader = reader

    async def open(self, taken: TakenUp) -> TakenUp:
        """*taken* with what its questions link to. Raises DatabaseUnavailable."""
        unopened = {turn.id: turn.link for turn in taken.questions if turn.link and turn.is_unopened}
        asker_id = taken.question.author_id
        if not unopened or asker_id is None:
            return taken
        conversation = taken.conversation
        read = await self._reader.read(
            list(unopened.values()), asker_id=asker_id, key=conversation.key, guild_id=conversation.guild_id
        )
        opened: dict[int, Turn | None] = {}
        for turn_id, found in zip(unopened, read, strict=True):
            opened[turn_id] = await self._store.open_link(turn_id, found)
        questions = (opened.get(turn.id, turn) for turn in taken.questions)
        return replace(taken, questions=tuple(turn for turn in questions if turn is not None))
