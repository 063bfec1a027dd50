"""A command that somebody called, or a button that they pressed, as they see it."""

from dataclasses import dataclass, field

from bot.playground.loopback.refusals import Json
from bot.playground.loopback.world import Channel, Invocation, Message, User


@dataclass(kw_only=True, eq=False)
class Interaction:
    """A command that somebody called, or a button pressed, and what they see of its answer."""

    id: int
    token: str
    channel: Channel
    user: User
    command: str
    options: Json
    called_at: float
    acknowledged_at: float | None = None
    unanswered: bool = False  # "The application did not respond"
    response: Message | None = None
    pressed: Message | None = None  # the message whose button it was, instead of a command
    target: Message | None = None  # the message in whose menu the command was
    followups: list[Message] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return self.acknowledged_at is not None

    @property
    def thinking(self) -> bool:
        """The person sees "thinking…"."""
        return self.response is not None and self.response.is_loading and not self.response.deleted

    @property
    def original(self) -> Message | None:
        """The message shown as the answer, if there is one yet, or still."""
        if self.response is None or self.response.is_loading or self.response.deleted:
            return None
        return self.response

    @property
    def ephemeral(self) -> bool:
        return self.response is not None and self.response.is_ephemeral

    @property
    def invocation(self) -> Invocation:
        """Of a command, as the message says that answers it."""
        guild, target = self.channel.guild, self.target
        return Invocation(
            id=self.id,
            user=self.user,
            command=self.command,
            guild_id=guild.id if guild else None,
            target_id=target.id if target else None,
        )
