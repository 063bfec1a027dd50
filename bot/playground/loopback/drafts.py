"""What a request wants a message to be: read from its body, refused as Discord refuses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.playground.loopback.components import read_components
from bot.playground.loopback.refusals import Json, Refusal, invalid
from bot.playground.loopback.world import Attachment, MessageFlag, Upload

MOST_CHARACTERS = 2000
MOST_NONCE_CHARACTERS = 25
MOST_EMBEDS = 10
MOST_EMBED_CHARACTERS = 6000
MOST_FILES = 10
MOST_FILE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Content:
    """The visible part of a message. None: the request says nothing about it."""

    text: str | None
    embeds: Sequence[Mapping[str, Any]] | None
    components: Sequence[Mapping[str, Any]] | None
    kept_attachments: frozenset[int] | None
    files: Sequence[Upload]
    flags: int | None


def read_content(body: Json, files: Sequence[Upload]) -> Content:
    """Raises 50035 for what is too long or of a wrong kind."""
    text = body.get("content")
    if "content" in body:
        text = read_text(text)
    embeds = body.get("embeds")
    if embeds is not None:
        _check_embeds(embeds)
        embeds = [{"type": "rich", **embed} for embed in embeds]
    if len(files) > MOST_FILES:
        raise invalid("attachments", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    if any(len(file.data) > MOST_FILE_BYTES for file in files):
        raise Refusal(40005)
    flags = _whole_number(body.get("flags"), "flags")
    components = body.get("components")
    listed = body.get("attachments")
    if listed is not None:
        files = _listed_files(listed, files)
    return Content(
        text=text,
        embeds=embeds,
        components=None if components is None else read_components(components, flags=flags or 0),
        # Small ids name the request's own files, snowflakes the attachments that an edit keeps.
        kept_attachments=None if listed is None else frozenset(int(each["id"]) for each in listed),
        files=files,
        flags=flags,
    )


def read_text(text: Any) -> str:
    """A message's text as Discord stores it. Whether it counts code points or UTF-16 units is undocumented.

    The larger count is held here, so that whatever passes would pass either way.
    """
    if text is None:
        return ""
    if not isinstance(text, str):
        raise invalid("content", "BASE_TYPE_STRING", "Must be a string.")
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > MOST_CHARACTERS:
        raise invalid("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
    return text.strip()


def read_nonce(body: Json) -> int | str | None:
    nonce = body.get("nonce")
    if nonce is not None and (isinstance(nonce, bool) or not isinstance(nonce, int | str)):
        raise invalid("nonce", "NONCE_TYPE_INVALID", "Must be an integer or a string.")
    if isinstance(nonce, str) and len(nonce) > MOST_NONCE_CHARACTERS:
        raise invalid("nonce", "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer in length.")
    return nonce


def settable_flags(flags: int | None, *, ephemeral: bool = False) -> MessageFlag:
    """Those that a request can set on a new message; others are ignored."""
    settable = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.SUPPRESS_NOTIFICATIONS | MessageFlag.IS_COMPONENTS_V2
    return MessageFlag((flags or 0) & (settable | (MessageFlag.EPHEMERAL if ephemeral else 0)))


def is_empty(content: Content) -> bool:
    return not (content.text or content.embeds or content.components or content.files)


def _listed_files(listed: Sequence[Json], files: Sequence[Upload]) -> Sequence[Upload]:
    """Of the request's own files those that its list names: the list is all that the message will hold."""
    ids = {int(each["id"]) for each in listed}
    missing = [number for number in sorted(ids) if len(files) <= number < MOST_FILES]
    if missing:
        what = f"Attachment data for {missing[0]} not found"
        raise invalid(f"attachments.{missing[0]}", "ATTACHMENT_NOT_FOUND", what)
    return [file for number, file in enumerate(files) if number in ids]


def keep_attachments(content: Content, existing: Sequence[Attachment]) -> Sequence[Attachment]:
    if content.kept_attachments is None:
        return existing
    return [each for each in existing if each.id in content.kept_attachments]


def _check_embeds(embeds: Sequence[Mapping[str, Any]]) -> None:
    if len(embeds) > MOST_EMBEDS:
        raise invalid("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    if sum(map(_embed_characters, embeds)) > MOST_EMBED_CHARACTERS:
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _embed_characters(embed: Mapping[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    for each in embed.get("fields") or ():
        texts += [each.get("name"), each.get("value")]
    return sum(len(text) for text in texts if text)


def _whole_number(value: Any, field: str) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise invalid(field, "NUMBER_TYPE_COERCE", "Value is not int.")
    return value
