"""Messages as JSON, exactly as Discord writes them, with or without what needs the message-content intent."""

from bot.playground.loopback.cdn import Cdn
from bot.playground.loopback.payloads import bare_member, timestamp, user
from bot.playground.loopback.refusals import Json
from bot.playground.loopback.visibility import reads_content
from bot.playground.loopback.world import Attachment, Message, MessageFlag, Reference, World

FORWARD = 1


class MessagePayloads:
    def __init__(self, world: World, cdn: Cdn) -> None:
        self._world = world
        self._cdn = cdn

    def for_rest(self, message: Message, *, content_intent: bool, nonce: bool = False) -> Json:
        """The answer to a request; the nonce is only in the answer to the request that set it."""
        payload = self._with_reference(message, content_intent=content_intent)
        return self._echo(payload, message) if nonce else payload

    def for_gateway(self, message: Message, *, content_intent: bool, nonce: bool = False) -> Json:
        """MESSAGE_CREATE's and MESSAGE_UPDATE's object: with guild and members, unless it is ephemeral."""
        payload = self._with_reference(message, content_intent=content_intent)
        guild = message.channel.guild
        payload["channel_type"] = message.channel.type
        if guild is not None and not message.is_ephemeral:
            payload["guild_id"] = str(guild.id)
            payload["mentions"] = [{**user(each), "member": bare_member(each, guild)} for each in message.mentions]
            if message.webhook_id is None or message.author is self._world.bot:
                payload["member"] = bare_member(message.author, guild)
        return self._echo(payload, message) if nonce else payload

    def _echo(self, payload: Json, message: Message) -> Json:
        return payload if message.nonce is None else {**payload, "nonce": message.nonce}

    def _with_reference(self, message: Message, *, content_intent: bool) -> Json:
        payload = self._plain(message, content_intent=content_intent)
        reference = message.reference
        if reference is not None and reference.type != FORWARD and message.replied_to is not None:
            payload["referenced_message"] = (
                None
                if message.replied_to.deleted
                else self._plain(message.replied_to, content_intent=content_intent)
            )
        return payload

    def _plain(self, message: Message, *, content_intent: bool) -> Json:
        readable = content_intent or reads_content(self._world, message)
        payload: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel.id),
            "author": user(message.author),
            **self._said(message, readable=readable),
            "tts": False,
            "pinned": False,
            "mention_everyone": message.mention_everyone,
        }
        if message.webhook_id is not None:
            payload["webhook_id"] = str(message.webhook_id)
            if message.author is not self._world.bot:
                payload["author"] |= {"id": str(message.webhook_id), "discriminator": "0000", "bot": True}
        if message.interaction is not None:
            payload["application_id"] = str(self._world.application_id)
            payload |= _asked_by(message)
        if message.reference is not None:
            payload["message_reference"] = _reference(message.reference)
        if message.snapshot is not None:
            payload["message_snapshots"] = [{"message": self._said(message.snapshot, readable=readable)}]
        return payload

    def _said(self, message: Message, *, readable: bool) -> Json:
        """The part of a message that a forward keeps, too."""
        attachments = [self._attachment(each, message) for each in message.attachments]
        said: Json = {
            "type": message.type,
            "content": message.content if readable else "",
            "embeds": list(message.embeds) if readable else [],
            "attachments": attachments if readable else [],
            "components": list(message.components) if readable else [],
            "timestamp": timestamp(message.created_at),
            "edited_timestamp": None if message.edited_timestamp is None else timestamp(message.edited_timestamp),
            "flags": int(message.flags),
            "mentions": [user(each) for each in message.mentions],
            "mention_roles": [str(each.id) for each in message.mention_roles],
        }
        if message.stickers:
            said["sticker_items"] = [
                {"id": str(each.id), "name": each.name, "format_type": 1} for each in message.stickers
            ]
        return said

    def _attachment(self, attachment: Attachment, message: Message) -> Json:
        url = self._cdn.url(attachment)
        payload: Json = {
            "id": str(attachment.id),
            "filename": attachment.upload.filename,
            "size": len(attachment.upload.data),
            "url": url,
            "proxy_url": url,
            "content_type": attachment.upload.content_type,
            "flags": 0,
        }
        if message.flags & MessageFlag.IS_VOICE_MESSAGE:
            payload |= {"duration_secs": attachment.upload.duration_seconds or 0.0, "waveform": ""}
        return payload


def _reference(reference: Reference) -> Json:
    payload: Json = {
        "type": reference.type,
        "message_id": str(reference.message_id),
        "channel_id": str(reference.channel_id),
    }
    if reference.guild_id is not None:
        payload["guild_id"] = str(reference.guild_id)
    return payload


def _asked_by(message: Message) -> Json:
    asked = message.interaction
    if asked is None:
        return {}
    metadata: Json = {
        "id": str(asked.id),
        "type": 2,
        "user": user(asked.user),
        "authorizing_integration_owners": {"0": str(asked.guild_id or 0)},
    }
    if asked.target_id is not None:
        metadata["target_message_id"] = str(asked.target_id)
    interaction = {"id": str(asked.id), "type": 2, "name": asked.command, "user": user(asked.user)}
    return {"interaction": interaction, "interaction_metadata": metadata}
