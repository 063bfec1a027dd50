"""Nonces are computed, never drawn: whoever posts the same message again gets the one that is there already."""

import hashlib

NONCE_LENGTH = 24  # Discord takes 25 characters
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def nonce(*, bot_id: int, question_id: int, attempt: int, n: int, purpose: str) -> str:
    """The same for the same message of ours, in every process: Discord gives back what it has under it."""
    digest = hashlib.sha256(f"{bot_id}|{question_id}|{attempt}|{n}|{purpose}".encode()).digest()
    number, digits = int.from_bytes(digest, "big"), ""
    while len(digits) < NONCE_LENGTH:
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits
