"""What /forget-me says; docs/privacy.md says the same at length."""

from bot.core.rights import Share

SHALL_I = (
    "Shall I forget that? It can't be undone. What is visible in Discord stays there, my answers too: delete your "
    "messages there yourself. What I answered to other people stays, even if it is about you."
)
FORGETTING = "I'm forgetting that …"
NOT_FORGOTTEN = "I can't reach my memory right now. Please press the button again in a few minutes."
NOT_YOURS = "Only whoever asked me to forget them can do that."
COMMAND_FORGOTTEN = "You told me to forget this question, so I don't answer it."
_STAYS_VISIBLE = (
    "What is visible in Discord stays until it is deleted there. What you write to me from now on is stored again."
)


def nothing_words(*, everywhere: bool) -> str:
    return "I have nothing of yours stored." if everywhere else "I have nothing of yours stored from here."


def found_words(share: Share, *, everywhere: bool) -> str:
    """What there is, and whether to go on."""
    where = "in all, on every server and in DMs" if everywhere else "from here"
    if share.messages or share.answers:
        messages, answers = _count(share.messages, "message"), _count(share.answers, "answer")
        return f"I have {messages} of yours stored {where}, and {answers} to them. {SHALL_I}"
    return f"I have no messages of yours stored {where}, only your id in {_records(share)}. {SHALL_I}"


def forgotten_words(share: Share) -> str:
    if share.messages or share.answers:
        messages, answers = _count(share.messages, "message"), _count(share.answers, "answer")
        return f"I've forgotten {messages} and {answers}. {_STAYS_VISIBLE}"
    return f"I've taken your id out of {_records(share)}. {_STAYS_VISIBLE}"


def _records(share: Share) -> str:
    return f"{_count(share.records, 'record')} of what my answers cost"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
