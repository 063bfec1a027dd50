"""Attached files: their addresses are signed and expire, as on Discord's CDN."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta

from bot.core.ports import Clock
from bot.playground.loopback.world import Attachment

GOOD_FOR = timedelta(hours=24)
LATE_OR_FORGED = "This content is no longer available."


class Cdn:
    """*address* is where the files are served, known once the server is up."""

    def __init__(self, clock: Clock) -> None:
        self.address = "http://127.0.0.1"
        self._clock = clock
        self._files: dict[int, Attachment] = {}

    def keep(self, attachment: Attachment) -> None:
        self._files[attachment.id] = attachment

    def url(self, attachment: Attachment) -> str:
        issued = int(self._clock.now().timestamp())
        expires = issued + int(GOOD_FOR.total_seconds())
        path = f"/attachments/{attachment.channel_id}/{attachment.id}/{attachment.upload.filename}"
        return f"{self.address}{path}?ex={expires:x}&is={issued:x}&hm={_signature(attachment.id, expires)}"

    def find(self, attachment_id: int, query: Mapping[str, str]) -> Attachment | None:
        """The file, if the address is ours and not yet expired."""
        try:
            expires = int(query["ex"], 16)
        except (KeyError, ValueError):
            return None
        genuine = hmac.compare_digest(query.get("hm", ""), _signature(attachment_id, expires))
        if not genuine or self._clock.now().timestamp() > expires:
            return None
        return self._files.get(attachment_id)


def _signature(attachment_id: int, expires: int) -> str:
    return hashlib.sha256(f"{attachment_id}:{expires}:loopback".encode()).hexdigest()
