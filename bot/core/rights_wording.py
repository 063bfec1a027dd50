"""What /privacy and /forget-me say; docs/privacy.md says the same at length."""

from bot.core.rights import Policy, Share
from bot.core.wording import counted

SHALL_I = (
    "Shall I forget that? It can't be undone. What is visible in Discord stays there, my answers too: delete your "
    "messages there yourself. What I answered to other people stays, even if it is about you."
)
FORGETTING = "I'm forgetting that …"
NOT_FORGOTTEN = "I can't reach my memory right now. Please press the button again in a few minutes."
NOT_YOURS = "Only whoever asked me to forget them can do that."
COMMAND_FORGOTTEN = "You told me to forget this question, so I don't answer it."
_PRIVACY = """\
**What I store:** the messages you write to me (when you mention me or reply to me, with `/chat`, in DMs, and \
where I answer everything), messages that those reply or link to, and my answers. Also ids, times and your name, \
as a label that tells people apart. For each request to the model one line about its cost: your id, no text.
**Where it goes:** to answer you, I send the recent conversation here to a language model at `{provider}`, with \
names once several people talk. Whoever runs me can read what is stored.
**How long I keep messages and answers here:** {kept}
**How you get them:** `/export` with `what:my-data` gives you all that I have of you, as a file.
**How they are erased:** delete your message in Discord, and I erase it with my answer to it. `/forget-me` erases \
everything of yours, here or everywhere. `/reset` erases nothing: I only stop reading what was said before. What \
is visible in Discord stays until it is deleted there."""
_STAYS_VISIBLE = (
    "What is visible in Discord stays until it is deleted there. What you write to me from now on is stored again."
)


def privacy_words(policy: Policy, server: int | None) -> str:
    days = policy.retention.days_in(server)
    kept = f"{counted(days, 'day')}; then I erase them." if days else "Until they are deleted."
    words = _PRIVACY.format(provider=policy.provider, kept=kept)
    return f"{words}\n**In the words of whoever runs me:** <{policy.url}>" if policy.url else words


def nothing_words(*, everywhere: bool) -> str:
    return "I have nothing of yours stored." if everywhere else "I have nothing of yours stored from here."


def found_words(share: Share, *, everywhere: bool) -> str:
    """What there is, and whether to go on."""
    where = "in all, on every server and in DMs" if everywhere else "from here"
    if share.messages or share.answers:
        messages, answers = counted(share.messages, "message"), counted(share.answers, "answer")
        return f"I have {messages} of yours stored {where}, and {answers} to them. {SHALL_I}"
    return f"I have no messages of yours stored {where}, only your id in {_records(share)}. {SHALL_I}"


def forgotten_words(share: Share) -> str:
    if share.messages or share.answers:
        messages, answers = counted(share.messages, "message"), counted(share.answers, "answer")
        return f"I've forgotten {messages} and {answers}. {_STAYS_VISIBLE}"
    return f"I've taken your id out of {_records(share)}. {_STAYS_VISIBLE}"


def _records(share: Share) -> str:
    return f"{counted(share.records, 'record')} of what my answers cost"
