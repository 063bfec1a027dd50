"""The playground's people and channels, and what a person at the keyboard does there."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from bot.playground.downloads import Downloads
from bot.playground.lines import AGAIN, Call, Choose, Delete, Edit, Press, Say, Switch
from bot.playground.loopback import Channel, Interaction, LoopbackDiscord, Message
from bot.playground.loopback.commands import CHAT_INPUT
from bot.playground.loopback.default_world import person_id
from bot.playground.loopback.refusals import Json
from bot.playground.markup import unmarked
from bot.playground.options import entered
from bot.playground.shown import button_labels

CHAT_CHANNEL = "general"  # here the bot answers every message
YOU = "you"
EVERYBODY = ("everyone", "here")
CHAT = "chat"  # the command whose answer is the model's
CONNECT_SECONDS = 60.0
COMMANDS_SECONDS = 10.0

_HANDLE = re.compile(r"@(\w+)")
_CHANNEL = re.compile(r"#([\w-]+)")
_SINCE = " since this playground was started"  # what was said before, the bot remembers, and Discord does not
_LAYOUT = "\n\t"

Deed = Say | Call | Switch | Edit | Delete | Press | Choose


Version = tuple[int, datetime | None]  # of a message: its id, and when it was edited last


class NotPossibleError(Exception):
    """A person asked for something that cannot be done; the message tells them why."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The bot owes an answer to this message, to this command, or to this press of Regenerate."""

    question: Message | Interaction
    channel: Channel
    before: frozenset[Version] = frozenset()  # what stood there when Regenerate was pressed


class Scene:
    """*channel* is the one that the person looks at."""

    def __init__(self, loopback: LoopbackDiscord, downloads: Downloads) -> None:
        self.loopback = loopback
        self.downloads = downloads
        self.you = loopback.user(YOU)
        self.bot = loopback.bot_user
        self.channels = [each for each in loopback.world.channels.values() if each.guild is not None]
        self.channel = loopback.channel(CHAT_CHANNEL)
        self._users = {user.name: user for user in (self.bot, *loopback.world.users.values())}

    @property
    def addressed(self) -> frozenset[str]:
        """The names of those whom a line that begins with them is for, and not by."""
        return frozenset({YOU, self.bot.name.casefold(), *EVERYBODY})

    async def connected(self) -> None:
        """Wait for the bot. Raises TimeoutError."""
        await self.loopback.until(lambda: self.loopback.sessions, seconds=CONNECT_SECONDS)

    async def perform(self, deed: Deed) -> Asked | None:
        """Do it; what comes back is owed an answer. Raises NotPossibleError."""
        match deed:
            case Say(speaker=speaker, text=text):
                return await self._say(speaker or YOU, text)
            case Call(command=command, text=text):
                return await self._call(command, text)
            case Switch(channel=name):
                self._switch(name)
            case Edit(text=text):
                await self._edit(text)
            case Delete():
                await self._delete()
            case Press(label=label):
                return await self._press(label)
            case Choose(command=command):
                return await self._choose(command)
        return None

    def visible(self, channel: Channel) -> list[Message]:
        return self.loopback.messages(channel, seen_by=self.you)

    def versions(self, channel: Channel) -> frozenset[Version]:
        return frozenset(map(version, self.visible(channel)))

    def rewritten(self, asked: Asked) -> bool:
        """Regenerate is there again, below an answer that was not there before."""
        return any(
            AGAIN in button_labels(message) and version(message) not in asked.before
            for message in self.visible(asked.channel)
        )

    def readable(self, content: str) -> str:
        """A message's text as Discord shows it just now, and nothing that could steer a terminal."""
        text = unmarked(
            content,
            now=self.loopback.clock.now(),
            user_name=self._user_name,
            role_name=self._role_name,
            channel_name=self._channel_name,
        )
        return "".join(
            character
            if character in _LAYOUT or unicodedata.category(character) != "Cc"
            else "\N{REPLACEMENT CHARACTER}"
            for character in text
        )

    async def _say(self, speaker: str, text: str) -> Asked | None:
        if not text:
            raise NotPossibleError(f"What should {speaker} say? For example: @{speaker} hello")
        if speaker not in self._users:
            self._users[speaker] = self.loopback.add_user(speaker, id=person_id(speaker))
        author = self._users[speaker]
        try:
            message = await self.loopback.post(self.channel, author, self._typed(text))
        except ValueError as error:
            raise NotPossibleError(f"That cannot be sent: {error}.") from error
        expected = self.channel.name == CHAT_CHANNEL or self.bot in message.mentions
        return Asked(question=message, channel=self.channel) if expected else None

    async def _call(self, name: str, text: str) -> Asked:
        offered = await self._options(name)
        try:
            options = entered(name, offered, text)
        except ValueError as error:
            raise NotPossibleError(str(error)) from error
        try:
            interaction = await self.loopback.slash(self.channel, self.you, name, options)
        except (PermissionError, ValueError) as error:
            raise NotPossibleError(f"That cannot be sent: {error}.") from error
        return Asked(question=interaction, channel=self.channel)

    async def _options(self, name: str) -> list[Json]:
        """Those of a command, once the bot has registered its commands."""
        try:
            await self.loopback.until(lambda: self.loopback.commands, seconds=COMMANDS_SECONDS)
        except TimeoutError:
            raise NotPossibleError("The bot has not registered its commands.") from None
        slash = [command for command in self.loopback.commands if command["type"] == CHAT_INPUT]
        for command in slash:
            if command["name"] == name:
                return list(command.get("options", []))
        known = ", ".join(sorted(f"/{command['name']}" for command in slash))
        raise NotPossibleError(f"There is no /{name}. The bot knows {known}; /help tells the rest.")

    def _switch(self, name: str) -> None:
        for channel in self.channels:
            if channel.name == name:
                self.channel = channel
                return
        known = " and ".join(f"#{channel.name}" for channel in self.channels)
        raise NotPossibleError(f"There is no #{name}, only {known}.")

    async def _edit(self, text: str) -> None:
        if not text:
            raise NotPossibleError("What should it say instead? For example: /edit good morning")
        try:
            await self.loopback.edit(self._last_message(), self._typed(text))
        except ValueError as error:
            raise NotPossibleError(f"That cannot be sent: {error}.") from error

    async def _delete(self) -> None:
        await self.loopback.delete(self._last_message())

    async def _press(self, label: str) -> Asked | None:
        for message in reversed(self.visible(self.channel)):
            if label in button_labels(message):
                before = self.versions(self.channel)
                press = await self.loopback.press(message, self.you, label)
                return Asked(question=press, channel=self.channel, before=before) if label == AGAIN else None
        raise NotPossibleError(f"There is no [{label}] in #{self.channel.name} just now.")

    async def _choose(self, command: str) -> Asked:
        for message in reversed(self.visible(self.channel)):
            invoked = message.interaction
            if message.author is self.bot and (invoked is None or invoked.command == CHAT):
                try:
                    chosen = await self.loopback.choose(message, self.you, command)
                except LookupError as error:
                    raise NotPossibleError(f"That cannot be done: {error}.") from error
                return Asked(question=chosen, channel=self.channel)
        raise NotPossibleError(f"There is no answer in #{self.channel.name}{_SINCE}.")

    def _last_message(self) -> Message:
        for message in reversed(self.visible(self.channel)):
            if message.author is self.you:
                return message
        raise NotPossibleError(f"You have posted nothing in #{self.channel.name}{_SINCE}.")

    def _typed(self, text: str) -> str:
        """What Discord's client makes of handles and channel names."""

        def mention(found: re.Match[str]) -> str:
            user = self._users.get(found[1].casefold())
            return user.mention if user else found[0]

        def link(found: re.Match[str]) -> str:
            named = [channel.mention for channel in self.channels if channel.name == found[1].casefold()]
            return named[0] if named else found[0]

        return _CHANNEL.sub(link, _HANDLE.sub(mention, text))

    def _user_name(self, user_id: int) -> str | None:
        return next((user.name for user in self._users.values() if user.id == user_id), None)

    def _role_name(self, role_id: int) -> str | None:
        roles = (role for guild in self.loopback.world.guilds.values() for role in guild.roles)
        return next((role.name.removeprefix("@") for role in roles if role.id == role_id), None)

    def _channel_name(self, channel_id: int) -> str | None:
        return next((channel.name for channel in self.channels if channel.id == channel_id), None)


def version(message: Message) -> Version:
    return message.id, message.edited_timestamp
