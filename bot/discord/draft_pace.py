"""When each channel may have its next draft: four edits in 5 s each, and 30 a second all together."""

from bot.core.ports import Clock

SECONDS_BETWEEN_EDITS = 1.25  # four of the five that Discord takes in 5 s: one stays in reserve for the final
EDITS_PER_SECOND = 30  # of all answers together: the rest of Discord's 50 is for first words and finals


class DraftPace:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at: dict[int, float] = {}
        self.growing = 0  # answers whose drafts are being written

    def reserve(self, channel_id: int, *, seconds: float = SECONDS_BETWEEN_EDITS) -> float:
        """Seconds to wait for the channel's next turn, which is taken hereby.

        Channels take it in turns when many answers grow at once.
        """
        now = self._clock.monotonic()
        seconds = max(seconds, self.growing / EDITS_PER_SECOND)
        self._free_at = {one: at for one, at in self._free_at.items() if at > now}
        begins = self._free_at.get(channel_id, now)
        self._free_at[channel_id] = begins + seconds
        return begins - now
