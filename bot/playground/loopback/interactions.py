"""Commands as they are called and answered, by Discord's two clocks: 3 seconds and 15 minutes."""

import secrets
from collections.abc import Sequence

from bot.core.ports import Clock
from bot.playground.loopback import payloads
from bot.playground.loopback.changes import Seen
from bot.playground.loopback.commands import (
    CHAT_INPUT,
    IN_BOT_DMS,
    IN_GUILDS,
    MESSAGE,
    Commands,
    entered,
    require_usable,
)
from bot.playground.loopback.components import BUTTON
from bot.playground.loopback.drafts import MOST_FILE_BYTES, is_empty, read_content, settable_flags
from bot.playground.loopback.events import Events
from bot.playground.loopback.interaction import Interaction
from bot.playground.loopback.mentions import IN_INTERACTIONS, read_allowed
from bot.playground.loopback.permissions import ALL
from bot.playground.loopback.posting import Posting
from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.snowflakes import Snowflakes
from bot.playground.loopback.world import (
    Channel,
    Message,
    MessageFlag,
    MessageType,
    Upload,
    User,
    World,
    reference_to,
)

SECONDS_TO_ACKNOWLEDGE = 3.0
TOKEN_SECONDS = 900.0
WITH_MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE = 4, 5, 6, 7
APPLICATION_COMMAND, MESSAGE_COMPONENT = 2, 3


class Interactions:
    def __init__(
        self,
        *,
        world: World,
        events: Events,
        posting: Posting,
        commands: Commands,
        clock: Clock,
        snowflakes: Snowflakes,
    ) -> None:
        self.calls: list[Interaction] = []
        self._world = world
        self._events = events
        self._posting = posting
        self._commands = commands
        self._clock = clock
        self._snowflakes = snowflakes
        self._by_token: dict[str, Interaction] = {}

    def call(self, channel: Channel, user: User, command: str, values: Json) -> Interaction:
        """Raises LookupError, PermissionError or ValueError for what a client would not let a person do."""
        name, *path = command.split()
        registered = self._offered(channel, user, name, kind=CHAT_INPUT)
        options = entered(registered, path, values)
        interaction = self._begin(channel, user, command=command, options=values)
        data = _about(registered)
        if options:
            data["options"] = list(options)
        payload = self._payload(interaction, kind=APPLICATION_COMMAND, data=data)
        self._events.interaction_created(channel, payload)
        return interaction

    def call_on(self, message: Message, user: User, command: str) -> Interaction:
        """Raises LookupError or PermissionError for what a client would not let a person do."""
        if not _sees(user, message):
            raise LookupError("there is no such message")
        registered = self._offered(message.channel, user, command, kind=MESSAGE)
        interaction = self._begin(message.channel, user, command=command, target=message)
        shown = self._events.messages.for_rest(message, content_intent=True)
        data = _about(registered)
        data |= {"target_id": str(message.id), "resolved": {"messages": {str(message.id): shown}}}
        payload = self._payload(interaction, kind=APPLICATION_COMMAND, data=data)
        self._events.interaction_created(message.channel, payload)
        return interaction

    def press(self, message: Message, user: User, label: str) -> Interaction:
        """Raises LookupError where there is no such button to be seen."""
        seen = message.components if _sees(user, message) else ()
        buttons = [each for row in seen for each in row.get("components", ()) if _is_up(each, label)]
        if not buttons:
            raise LookupError(f"there is no button {label!r}")
        interaction = self._begin(message.channel, user, pressed=message)
        data = {key: buttons[0][key] for key in ("id", "custom_id")} | {"component_type": BUTTON}
        shown = self._events.messages.for_gateway(message, content_intent=True)
        payload = self._payload(interaction, kind=MESSAGE_COMPONENT, data=data) | {"message": shown}
        self._events.interaction_created(message.channel, payload)
        return interaction

    def _offered(self, channel: Channel, user: User, name: str, *, kind: int) -> Json:
        """The command as it is registered. Raises LookupError and PermissionError."""
        guild = channel.guild
        registered = self._commands.find(name, guild.id if guild else 0, kind=kind)
        may = ALL if guild is None else self._world.member_permissions(guild, user)
        require_usable(registered, context=IN_GUILDS if guild else IN_BOT_DMS, may=may)
        return registered

    def _begin(
        self,
        channel: Channel,
        user: User,
        *,
        command: str = "",
        options: Json | None = None,
        pressed: Message | None = None,
        target: Message | None = None,
    ) -> Interaction:
        interaction = Interaction(
            id=self._snowflakes.make(),
            token=secrets.token_urlsafe(96),
            channel=channel,
            user=user,
            command=command,
            options=options or {},
            called_at=self._clock.monotonic(),
            pressed=pressed,
            target=target,
        )
        self.calls.append(interaction)
        self._by_token[interaction.token] = interaction
        return interaction

    async def watch_acknowledgement(self, interaction: Interaction) -> None:
        """After three seconds without an answer, tell the person so."""
        await self._clock.sleep(SECONDS_TO_ACKNOWLEDGE)
        if not interaction.acknowledged:
            interaction.unanswered = True
            self._events.changes.show(Seen(kind="unanswered", channel=interaction.channel, user=interaction.user))

    # -- the bot's requests

    def respond(self, interaction_id: int, token: str, body: Json, files: Sequence[Upload] = ()) -> Interaction:
        """The first response. Raises 10062 when it comes late and 40060 when it is not the first."""
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise Refusal(10062)
        if interaction.acknowledged:
            raise Refusal(40060)
        if self._clock.monotonic() - interaction.called_at > SECONDS_TO_ACKNOWLEDGE:
            raise Refusal(10062)
        kind = body.get("type")
        later = (DEFERRED,) if interaction.pressed is None else (DEFERRED_UPDATE, UPDATE)
        if kind not in (WITH_MESSAGE, *later):
            raise invalid("type", "INTERACTION_CALLBACK_TYPE_INVALID", "Not an answer to such an interaction")
        data = body.get("data") or {}
        if kind in (DEFERRED_UPDATE, UPDATE) and interaction.pressed is not None:
            if kind == UPDATE:
                self._edit(interaction.pressed, data, files)
            interaction.acknowledged_at = self._clock.monotonic()
            return interaction
        if kind == DEFERRED:
            ephemeral = MessageFlag((data.get("flags") or 0) & MessageFlag.EPHEMERAL)
            message = self._message(interaction, "", flags=ephemeral | MessageFlag.LOADING)
        else:
            message = self._filled(interaction, data, files)
        interaction.acknowledged_at = self._clock.monotonic()
        interaction.response = message
        self._posting.publish(message)
        self._events.changes.show(
            Seen(kind="acknowledged", channel=interaction.channel, message=message, user=interaction.user)
        )
        return interaction

    def edit_original(self, token: str, body: Json, files: Sequence[Upload] = ()) -> Message:
        return self._edit(self.original(token), body, files)

    def original(self, token: str) -> Message:
        """The response; of a press that was answered without one, the message that was pressed."""
        interaction = self._usable(token)
        if (response := interaction.response or interaction.pressed) is None or response.deleted:
            raise Refusal(10008)
        return response

    def follow_up(self, token: str, body: Json, files: Sequence[Upload] = ()) -> Message:
        """A further message; straight after a deferral, Discord makes it the deferred message's text."""
        interaction = self._usable(token)
        response = interaction.response
        if response is not None and response.is_loading and not response.deleted:
            return self._edit(response, {key: body[key] for key in body if key != "flags"}, files)
        message = self._filled(interaction, body, files)
        if response is not None and not response.deleted:
            message.type = MessageType.REPLY
            message.reference, message.replied_to = reference_to(response), response
        interaction.followups.append(message)
        self._posting.publish(message)
        return message

    def message(self, token: str, message_id: int) -> Message:
        interaction = self._usable(token)
        for message in (interaction.response, *interaction.followups):
            if message is not None and message.id == message_id and not message.deleted:
                return message
        raise Refusal(10008)

    def edit_message(self, token: str, message_id: int, body: Json, files: Sequence[Upload] = ()) -> Message:
        return self._edit(self.message(token, message_id), body, files)

    def delete(self, message: Message) -> None:
        self._posting.remove(message)

    def _usable(self, token: str) -> Interaction:
        """Raises 10015 before the first response, and 50027 when 15 minutes are over."""
        interaction = self._by_token.get(token)
        if interaction is None or not interaction.acknowledged:
            raise Refusal(10015)
        if self._clock.monotonic() - interaction.called_at > TOKEN_SECONDS:
            raise Refusal(50027)
        return interaction

    def _edit(self, message: Message, body: Json, files: Sequence[Upload]) -> Message:
        was_loading = message.is_loading
        message.flags &= ~MessageFlag.LOADING
        try:
            self._posting.rewrite(message, body, files, default=IN_INTERACTIONS, shows_first_words=was_loading)
        except Refusal:
            message.flags |= MessageFlag.LOADING if was_loading else MessageFlag(0)
            raise
        return message

    def _filled(self, interaction: Interaction, body: Json, files: Sequence[Upload]) -> Message:
        content = read_content(body, files)
        allowed = read_allowed(body, default=IN_INTERACTIONS)
        if is_empty(content):
            raise Refusal(50006)
        flags = settable_flags(content.flags, ephemeral=True)
        message = self._message(interaction, content.text or "", flags=flags)
        self._posting.fill(message, content, allowed=allowed)
        return message

    def _message(self, interaction: Interaction, text: str, *, flags: MessageFlag) -> Message:
        menu = interaction.target is not None
        kind = MessageType.CONTEXT_MENU_COMMAND if menu else MessageType.CHAT_INPUT_COMMAND
        message = self._posting.new_message(interaction.channel, self._world.bot, text, type=kind, flags=flags)
        message.webhook_id = self._world.application_id
        message.visible_to = interaction.user if flags & MessageFlag.EPHEMERAL else None
        if interaction.pressed is None:
            message.interaction = interaction.invocation
        return message

    def _payload(self, interaction: Interaction, *, kind: int, data: Json) -> Json:
        channel, guild, user = interaction.channel, interaction.channel.guild, interaction.user
        payload: Json = {
            "id": str(interaction.id),
            "application_id": str(self._world.application_id),
            "type": kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": str(channel.id),
            "channel": payloads.channel(channel, self._world),
            "app_permissions": str(int(self._world.permissions(channel))),
            "locale": "en-US",
            "entitlements": [],
            "attachment_size_limit": MOST_FILE_BYTES,
            "authorizing_integration_owners": {"0": str(guild.id if guild else 0)},
            "context": IN_GUILDS if guild else IN_BOT_DMS,
        }
        if guild is None:
            return {**payload, "user": payloads.user(user)}
        may = str(int(self._world.member_permissions(guild, user)))
        payload["channel"]["permissions"] = may
        return {
            **payload,
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": {**payloads.member(user, guild), "permissions": may},
        }


def _about(registered: Json) -> Json:
    return {key: registered[key] for key in ("id", "name", "type")}


def _sees(user: User, message: Message) -> bool:
    return message.visible_to in (None, user) and not message.deleted


def _is_up(button: Json, label: str) -> bool:
    return button.get("label") == label and "custom_id" in button and not button.get("disabled")
