"""How Discord says no: status, code and sentence as in its table of JSON error codes."""

from typing import Any

Json = dict[str, Any]

KNOWN = {
    0: (404, "404: Not Found"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20012: (403, "You are not authorized to perform this action on this application"),
    30034: (400, "Max number of daily application command creates has been reached"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50021: (403, "Cannot execute action on a system message"),
    50027: (401, "Invalid Webhook Token"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Tried to perform an operation on an archived thread"),
    50109: (400, "The request body contains invalid JSON."),
    160002: (400, "Cannot reply without permission to read message history"),
    160005: (400, "Thread is locked"),
    200000: (400, "Message was blocked by automatic moderation"),
}


class Refusal(Exception):
    """A request that Discord answers with an error body."""

    def __init__(self, code: int, *, errors: Json | None = None) -> None:
        self.status, self.message = KNOWN[code]
        super().__init__(f"{code} {self.message}")
        self.code = code
        self.errors = errors

    def body(self) -> Json:
        body: Json = {"message": self.message, "code": self.code}
        return body if self.errors is None else {**body, "errors": self.errors}


class Unauthorized(Refusal):
    """The token is wrong or missing."""

    def __init__(self) -> None:
        super().__init__(0)
        self.status, self.message = 401, "401: Unauthorized"


def invalid(field: str, code: str, message: str) -> Refusal:
    """50035, and which *field* it is about ("message_reference", "attachments.0")."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(field.split(".")):
        errors = {name: errors}
    return Refusal(50035, errors=errors)
