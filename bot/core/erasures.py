"""What was erased as a whole: of what was said there before, nothing that is read later is stored again."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bot.core.handled import MARGIN
from bot.core.messages import IncomingMessage, snowflake_at
from bot.core.ports import Clock

ERASURES_REMEMBERED = 10_000


class Whole(NamedTuple):
    """A channel with the threads below it, a server, or a person's share, in one channel or everywhere."""

    channel_id: int | None = None
    guild_id: int | None = None
    person: int | None = None


class Erasures:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before: OrderedDict[Whole, int] = OrderedDict()  # the id before which all of it is erased

    @contextmanager
    def erasing(self, whole: Whole) -> Iterator[None]:
        """It counts from here on, and not at all if it fails."""
        earlier = self._before.pop(whole, None)
        self._before[whole] = snowflake_at(self._clock.now() + MARGIN)
        if len(self._before) > ERASURES_REMEMBERED:
            self._before.popitem(last=False)
        try:
            yield
        except BaseException:
            del self._before[whole]
            if earlier is not None:
                self._before[whole] = earlier
            raise

    def reach(self, message: IncomingMessage) -> set[int]:
        """Of the ids of a message and of what it brings along, those that are not to be stored."""
        here, guild = message.key.channel_id, Whole(guild_id=message.guild_id)
        places = [Whole(channel_id=here), Whole(channel_id=message.parent_id), guild]
        brought = [(message.message_id, message.author_id)]
        if message.quote is not None:
            brought.append((message.quote.message_id, message.quote.author_id))
        return {
            message_id
            for message_id, author in brought
            for whole in (*places, Whole(person=author), Whole(person=author, channel_id=here))
            if message_id < self._before.get(whole, 0)
        }
