"""/export: the conversation as a file, or everything that is stored of whoever asks."""

from typing import Any, Literal

import discord
from discord import app_commands

from bot.core.export import Export
from bot.core.wording import counted
from bot.discord.commands.doors import Doors, conversation_of
from bot.discord.payloads import AttachedFile, Content

REFUSED = "You can't read what was said in this channel before, so I can't export it for you."
NO_CONVERSATION = "There is nothing to export: I remember nothing of this conversation."
ALL_IS_TOO_MUCH = "All of it is more than Discord takes as one file."
NOTHING_OWN = "There is nothing to export: I have nothing of yours stored."
OWN = "Here is what I have stored of you, on every server and in DMs."
OWN_NEWEST = f"Here is the newest of what I have stored of you. {ALL_IS_TOO_MUCH}"

Form = Literal["markdown", "json"]
What = Literal["conversation", "my-data"]


def command(doors: Doors) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="export", description="Get our conversation here, or your own data, as a file")
    @app_commands.rename(form="as")
    @app_commands.describe(
        form="Markdown to read, or JSON for programs; your own data is always JSON",
        what="This channel's conversation, or all that I have stored of you, everywhere",
        private="Your private conversation with me here, instead of everybody's",
    )
    async def export(
        interaction: discord.Interaction[discord.Client],
        form: Form = "markdown",
        what: What = "conversation",
        private: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        if what == "my-data":
            await hand_over_own(interaction, doors)
        else:
            await hand_over(interaction, doors, as_json=form == "json", private=private)

    return export


def asks_for_own(interaction: discord.Interaction[discord.Client]) -> bool:
    """Whether an /export is of nobody's data but the person's own."""
    return getattr(interaction.namespace, "what", None) == "my-data"


async def hand_over(
    interaction: discord.Interaction[discord.Client], doors: Doors, *, as_json: bool, private: bool
) -> None:
    if not await doors.let_look_back(interaction, private=private, unreadable=REFUSED):
        return
    me = interaction.client.user
    async with doors.look_ups.exported_conversation(
        interaction.user.id,
        conversation_of(interaction, private=private),
        place=_place(interaction, private=private),
        bot=me.display_name if me else "I",
        as_json=as_json,
        most_bytes=interaction.filesize_limit,
    ) as made:
        if not made.count:
            words = NO_CONVERSATION
        elif made.complete:
            words = f"Here is our conversation: {counted(made.count, 'message')}."
        else:
            words = f"Here is the end of our conversation: {counted(made.count, 'message')}. {ALL_IS_TOO_MUCH}"
        await _show(interaction, doors, made, words)


async def hand_over_own(interaction: discord.Interaction[discord.Client], doors: Doors) -> None:
    if not await doors.let_look_up(interaction):
        return
    async with doors.look_ups.exported_own(interaction.user.id, most_bytes=interaction.filesize_limit) as made:
        words = (OWN if made.complete else OWN_NEWEST) if made.count else NOTHING_OWN
        await _show(interaction, doors, made, words)


async def _show(interaction: discord.Interaction[discord.Client], doors: Doors, made: Export, words: str) -> None:
    file = AttachedFile(name=made.name, text=made.text) if made.count else None
    await doors.outbox.show(interaction, Content(text=words, file=file))


def _place(interaction: discord.Interaction[discord.Client], *, private: bool) -> str:
    name = getattr(interaction.channel, "name", None)
    where = f"#{name}" if name else "Direct messages"
    return f"{where}, in private" if private else where
