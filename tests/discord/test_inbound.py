"""What the core learns of a Discord message: the words, who said them, and what could not be read."""

from collections.abc import AsyncIterator

import pytest

from bot.core.messages import ConversationKey, Kind
from bot.discord.inbound import hear, read_message
from bot.discord.quoting import QUOTED_GONE, QUOTED_UNREADABLE, REPLY_UNREADABLE
from bot.playground.loopback import MessageFlag, Upload
from tests.discord.connected import Connected, connected

PICTURE = Upload(filename="cat.png", data=b"meow", content_type="image/png")
VOICE = Upload(filename="voice-message.ogg", data=b"hello", content_type="audio/ogg", duration_seconds=1.5)


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connected]:
    async with connected(monkeypatch) as here:
        yield here


@pytest.fixture
async def unprivileged(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connected]:
    """Without the message content intent."""
    async with connected(monkeypatch, granted=False) as here:
        yield here


async def read(here: Connected, channel, author, content="", **more):
    message = await here.hear(here.discord.post(channel, author, content, **more))
    return read_message(message, me=here.client.me)


async def test_a_message_is_read_with_its_place_and_its_author(here):
    posted = here.discord.post(here.general, here.you, f"{here.bot.mention} Why is the sky blue?")
    message = await here.hear(posted)

    said = read_message(message, me=here.client.me)

    assert said.message_id == message.id
    assert said.kind is Kind.MESSAGE
    assert said.key == ConversationKey(channel_id=here.general.id)
    assert said.guild_id == here.discord.guild.id
    assert said.parent_id is None
    assert (said.author_id, said.author_name) == (here.you.id, "You")
    assert said.text == "Why is the sky blue?"
    assert said.raw_text == f"{here.bot.mention} Why is the sky blue?"
    assert (said.note, said.reply_to, said.quote, said.interaction) == (None, None, None, None)


async def test_a_thread_is_a_conversation_of_its_own_below_its_channel(here):
    thread = here.discord.add_thread(here.general, "ideas")

    said = await read(here, thread, here.you, "Hello")

    assert said.key == ConversationKey(channel_id=thread.id)
    assert said.parent_id == here.general.id


async def test_a_direct_message_belongs_to_no_guild(here):
    dm = here.discord.open_dm(here.you)

    message = await here.hear(here.discord.post(dm, here.you, "Hello"))

    assert hear(message, me=here.client.me).direct
    assert read_message(message, me=here.client.me).guild_id is None


async def test_a_webhook_is_known_as_one(here):
    posted = here.discord.post(here.general, here.you, "Hello", webhook=True)

    assert hear(await here.hear(posted), me=here.client.me).webhook


async def test_people_roles_and_channels_are_read_by_their_names(here):
    content = f"{here.bot.mention} does {here.ada.mention} like {here.random.mention}?"

    said = await read(here, here.general, here.you, content)

    assert said.text == "does @Ada like #random?"


async def test_our_name_in_the_middle_is_read_as_our_name(here):
    said = await read(here, here.general, here.you, f"Is {here.bot.mention} a robot?")

    assert said.text == "Is Confab a robot?"


async def test_a_mention_of_our_own_role_is_a_mention_and_no_other_role_is(here):
    for name, tags in (("confab", {"bot_id": str(here.bot.id)}), ("helpers", {})):
        role = here.discord.add_role(here.discord.guild, name)
        payload = {
            "guild_id": str(here.discord.guild.id),
            "role": {
                "id": str(role.id),
                "name": name,
                "permissions": "0",
                "position": 1,
                "managed": bool(tags),
                "tags": tags,
            },
        }
        here.client._connection.parse_guild_role_create(payload)
        message = await here.hear(here.discord.post(here.general, here.you, f"<@&{role.id}> hello"))

        assert hear(message, me=here.client.me).mentions_bot == bool(tags)
        assert read_message(message, me=here.client.me).text == ("hello" if tags else "@helpers hello")


@pytest.mark.parametrize(
    ("posted", "named"),
    [
        ({"attachments": [PICTURE]}, "cat.png"),
        ({"stickers": ["Wave"]}, "sticker"),
        ({"attachments": [VOICE], "flags": MessageFlag.IS_VOICE_MESSAGE}, "voice"),
    ],
)
async def test_what_cannot_be_read_is_named(here, posted, named):
    dm = here.discord.open_dm(here.you)

    said = await read(here, dm, here.you, **posted)

    assert said.text == ""
    assert named in said.note.lower()


async def test_words_beside_a_picture_are_read_all_the_same(here):
    said = await read(here, here.general, here.you, "Look at this", attachments=[PICTURE])

    assert said.text == "Look at this"
    assert "cat.png" in said.note


async def test_a_forward_keeps_its_text(here):
    original = await here.discord.post(here.random, here.ada, "The sea is green.")

    message = await here.hear(here.discord.post(here.general, here.you, forward_of=original))

    assert hear(message, me=here.client.me).has_content
    said = read_message(message, me=here.client.me)
    assert said.text == "The sea is green."
    assert said.reply_to is None


async def test_what_a_forward_brings_along_unread_is_named(here):
    original = await here.discord.post(here.random, here.ada, "Our cat", attachments=[PICTURE])

    said = await read(here, here.general, here.you, forward_of=original)

    assert said.text == "Our cat"
    assert "cat.png" in said.note


async def test_a_bare_mention_in_reply_to_a_message_brings_it_along(here):
    asked_about = await here.discord.post(here.general, here.ada, f"The sea is green, {here.you.mention}.")

    said = await read(here, here.general, here.you, here.bot.mention, reply_to=asked_about)

    assert said.text == ""
    assert said.reply_to == asked_about.id
    assert said.quote is not None
    assert (said.quote.message_id, said.quote.author_id) == (asked_about.id, here.ada.id)
    assert said.quote.author_name == "Ada"
    assert said.quote.text == "The sea is green, @You."
    assert said.quote.raw_text == asked_about.content
    assert said.note is None


@pytest.mark.parametrize("how", [{}, {"webhook": True}], ids=["a person", "a webhook"])
async def test_a_reply_with_words_of_its_own_brings_the_message_along(here, how):
    earlier = await here.discord.post(here.general, here.ada, "The sea is green.", **how)

    said = await read(here, here.general, here.you, f"{here.bot.mention} why?", reply_to=earlier)

    assert (said.text, said.note, said.reply_to) == ("why?", None, earlier.id)
    assert (said.quote.message_id, said.quote.text) == (earlier.id, "The sea is green.")
    assert said.quote.author_name == "Ada"


async def test_what_cannot_be_read_of_the_message_replied_to_is_named(here):
    gone = await here.discord.post(here.general, here.ada, "The sea is green.")
    await here.discord.delete(gone)
    picture = await here.discord.post(here.general, here.ada, attachments=[PICTURE])
    asked = f"{here.bot.mention} why?"

    without_it = await read(here, here.general, here.you, asked, reply_to=gone)
    without_picture = await read(here, here.general, here.you, asked, reply_to=picture)

    assert (without_it.text, without_it.quote, without_it.note) == ("why?", None, QUOTED_GONE)
    assert without_picture.quote is None
    assert "cat.png" in without_picture.note


async def test_a_bare_mention_in_reply_to_a_deleted_message_says_so(here):
    gone = await here.discord.post(here.general, here.ada, "The sea is green.")
    await here.discord.delete(gone)

    said = await read(here, here.general, here.you, here.bot.mention, reply_to=gone)

    assert (said.text, said.quote, said.note) == ("", None, QUOTED_GONE)


async def test_a_bare_mention_in_reply_to_a_picture_names_what_cannot_be_read(here):
    picture = await here.discord.post(here.general, here.ada, attachments=[PICTURE])

    said = await read(here, here.general, here.you, here.bot.mention, reply_to=picture)

    assert (said.text, said.quote) == ("", None)
    assert "cat.png" in said.note


async def test_a_reply_to_what_the_bot_is_still_thinking_about_brings_nothing(here):
    called = await here.discord.slash(here.general, here.ada, "chat", {"message": "Hello"})
    thinking = await here.discord.until(lambda: called.response)

    said = await read(here, here.general, here.you, f"{here.bot.mention} why?", reply_to=thinking)

    assert (said.text, said.quote, said.note) == ("why?", None, None)


async def test_a_bare_mention_has_neither_quote_nor_note(here):
    said = await read(here, here.general, here.you, here.bot.mention)

    assert (said.text, said.quote, said.note) == ("", None, None)


async def test_without_the_intent_a_reply_that_does_not_ping_is_known_and_not_readable(unprivileged):
    here = unprivileged
    answer = await here.discord.post(here.general, here.bot, "The sky is blue.")

    posted = here.discord.post(here.general, here.you, "Why?", reply_to=answer, ping_reply=False)
    message = await here.hear(posted)

    assert hear(message, me=here.client.me).replies_to_bot
    said = read_message(message, me=here.client.me)
    assert (said.text, said.note) == ("", REPLY_UNREADABLE)


async def test_without_the_intent_a_message_that_a_mention_asks_about_is_not_readable(unprivileged):
    here = unprivileged
    asked_about = await here.discord.post(here.general, here.ada, "The sea is green.")

    said = await read(here, here.general, here.you, here.bot.mention, reply_to=asked_about)

    assert (said.quote, said.note) == (None, QUOTED_UNREADABLE)


async def test_without_the_intent_a_reply_to_somebody_else_counts_as_empty(unprivileged):
    here = unprivileged
    earlier = await here.discord.post(here.general, here.ada, "The sea is green.")

    message = await here.hear(here.discord.post(here.general, here.you, "No!", reply_to=earlier))

    heard = hear(message, me=here.client.me)
    assert not heard.has_content
    assert not heard.replies_to_bot


async def test_a_message_in_a_guild_that_has_not_arrived_yet_is_no_direct_message(here):
    here.client._connection._remove_guild(here.client.get_guild(here.discord.guild.id))

    message = await here.hear(here.discord.post(here.general, here.you, f"{here.bot.mention} hello"))

    heard = hear(message, me=here.client.me)
    assert not heard.direct
    assert heard.mentions_bot
    said = read_message(message, me=here.client.me)
    assert (said.guild_id, said.text) == (here.discord.guild.id, "hello")
