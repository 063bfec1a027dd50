"""What /history shows: how much is remembered of a conversation and how, and its summary, as plain text."""

from bot.core.archive import Memory
from bot.core.tokens import CUT
from bot.core.wording import counted
from bot.discord.recalled import MOST_UNITS, plain
from bot.discord.split import split, units

NOTHING = "I remember nothing of this conversation: nothing was said to me here since it last began anew."
MADE_ANEW = (
    "Something of what my summary told was deleted or edited, so it is gone. The next answer brings another."
)


def remembered_words(memory: Memory) -> str:
    past = memory.past
    if not (past.turns_sent or past.turns_summarised or past.turns_left_out):
        return NOTHING
    lines = [
        "**What I remember of this conversation**",
        f"Word for word: {counted(past.turns_sent or 0, 'message')}",
        *([f"In a summary: {counted(past.turns_summarised, 'earlier message')}"] if past.turns_summarised else []),
        *([f"Left out: {counted(past.turns_left_out, 'earlier message')}"] if past.turns_left_out else []),
        f"That is about {memory.tokens:,} of the {memory.most_tokens:,} tokens that I read for an answer.",
    ]
    if memory.summary == "" and past.turns_left_out:
        lines.append(MADE_ANEW)
    words = "\n".join(lines)
    if not memory.summary:
        return words
    head = f"{words}\n>>> "  # all behind it is a quote
    return head + _beginning(plain(memory.summary), most=MOST_UNITS - units(head))


def _beginning(text: str, *, most: int) -> str:
    if units(text) <= most:
        return text
    return split(text, limit=most - units(CUT)).parts[0].content + CUT
