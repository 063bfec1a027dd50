"""Messages of ours as Discord is sent them: none can ping a bystander or unfurl a link."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Payload = dict[str, Any]

_SUPPRESS_EMBEDS = 1 << 2
_EPHEMERAL = 1 << 6
_ACTION_ROW, _BUTTON, _GREY = 1, 2, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachedFile:
    name: str
    text: str

    @property
    def media_type(self) -> str:
        return "application/json" if self.name.endswith(".json") else "text/markdown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """*custom_id*: what Discord tells when it is pressed, at most 100 characters."""

    label: str
    custom_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a message is to show."""

    text: str
    file: AttachedFile | None = None
    button: Button | None = None


# What is called is asked when the request's turn has come: latest wins.
Wanted = str | Content | Callable[[], str | Content]


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A request's body: JSON, or a form that brings a file as well."""

    json: Payload
    file: AttachedFile | None = None

    def form(self, file: AttachedFile) -> list[dict[str, Any]]:
        """As the library's HTTP client takes it (Discord reference, "Uploading Files")."""
        return [
            {"name": "payload_json", "value": json.dumps(self.json), "content_type": "application/json"},
            {
                "name": "files[0]",
                "value": file.text.encode(errors="replace"),
                "filename": file.name,
                "content_type": f"{file.media_type}; charset=utf-8",
            },
        ]


def content_now(wanted: Wanted) -> Content:
    content = wanted() if callable(wanted) else wanted
    return Content(text=content) if isinstance(content, str) else content


def new_message(content: Content, *, ping_replied: bool = False, ephemeral: bool = False) -> Body:
    payload = _payload(content, ping_replied=ping_replied)
    payload["flags"] |= _EPHEMERAL if ephemeral else 0
    if content.file is not None:
        payload["attachments"] = _listed(content)
    return Body(json=payload, file=content.file)


def edited_message(content: Content) -> Body:
    """Flags that an edit leaves out bring link previews back; files and buttons that it leaves out stay."""
    return Body(json=_payload(content) | {"attachments": _listed(content)}, file=content.file)


def _payload(content: Content, *, ping_replied: bool = False) -> Payload:
    return {
        "content": content.text,
        "allowed_mentions": {"parse": [], "replied_user": ping_replied},
        "flags": _SUPPRESS_EMBEDS,
        "components": [] if content.button is None else [_row(content.button)],
    }


def _row(button: Button) -> Payload:
    """Discord reference, "Action Row" and "Button"."""
    shown = {"type": _BUTTON, "style": _GREY, "label": button.label, "custom_id": button.custom_id}
    return {"type": _ACTION_ROW, "components": [shown]}


def _listed(content: Content) -> list[Payload]:
    """All the files of the message: whatever else is attached to it goes."""
    return [] if content.file is None else [{"id": 0, "filename": content.file.name}]
