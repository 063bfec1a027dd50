"""What is kept of how a message of ours began when its text is erased: enough to know it again in its channel."""

from hashlib import sha256

CHARACTERS = 40  # a message that has grown since begins as it did


def fingerprint(text: str, *, salt: str) -> str | None:
    """None: of no words."""
    beginning = text.strip()[:CHARACTERS]
    return f"{len(beginning)}:{_digest(beginning, salt)}" if beginning else None


def bears(shown: str, kept: str, *, salt: str) -> bool:
    """Whether what a message shows begins as the text of which this fingerprint was kept."""
    length, _, digest = kept.partition(":")
    return _digest(shown.strip()[: int(length)], salt) == digest


def _digest(beginning: str, salt: str) -> str:
    return sha256(f"{salt}|{beginning}".encode()).hexdigest()[:24]
