"""What a linked message leads to, for whom: a real client before a loopback Discord."""

import asyncio

import discord
import pytest

from bot.core.access import AccessRules
from bot.core.messages import ConversationKey
from bot.core.quotes import Link, Opened
from bot.discord.link_search import ELSEWHERE, MOST_LINKS, TOO_MANY, find_links
from bot.discord.links import GONE, NOT_NOW, NOT_READABLE, SECONDS_TO_READ, DiscordLinks
from bot.playground.loopback import ChannelType, Upload
from tests.discord.connected import connected
from tests.openapi import validate_record

PICTURE = Upload(filename="cat.png", data=b"meow", content_type="image/png")
TEXT = "The sea is green."


def url(place, channel, message, host="discord.com"):
    return f"https://{host}/channels/{place}/{channel}/{message}"


@pytest.mark.parametrize(
    ("content", "guild_id", "links", "note"),
    [
        ("no links", 1, [], None),
        (f"see {url(1, 2, 3)}.", 1, [(2, 3)], None),
        (f"<{url(1, 2, 3, 'ptb.discord.com')}> {url(1, 4, 5, 'canary.discord.com')}", 1, [(2, 3), (4, 5)], None),
        (f"{url(1, 2, 3, 'discordapp.com')} {url(1, 2, 3)}", 1, [(2, 3)], None),
        (url(1, 2, 3, "discord.com.example.org"), 1, [], None),
        (url(1, 2, 3, "evildiscord.com"), 1, [], None),
        ("https://discord.com/channels/1/2", 1, [], None),
        (f"`{url(1, 2, 3)}` and ```\n{url(1, 4, 5)}\n```", 1, [], None),
        (f"{url(9, 2, 3)} {url(1, 4, 5)}", 1, [(4, 5)], ELSEWHERE),
        (url("@me", 2, 3), 1, [], ELSEWHERE),
        (url("@me", 2, 3), None, [(2, 3)], None),
        (url(1, 2, 3), None, [], ELSEWHERE),
        (" ".join(url(1, 2, n) for n in range(1, 6)), 1, [(2, 1), (2, 2), (2, 3)], TOO_MANY),
        (url(1, 2, 10**19), 1, [], None),  # no database holds it
    ],
)
def test_links_of_this_place_are_found(content, guild_id, links, note):
    found = find_links(content, guild_id=guild_id)

    assert found == (tuple(Link(channel_id=channel, message_id=message) for channel, message in links), note)
    assert len(found[0]) <= MOST_LINKS


def furnish(discord):
    """Ada is a moderator, Ben is nobody in particular. Sessions learn of roles when they begin."""
    discord.add_user("ben")
    discord.give_role(discord.guild, discord.user("ada"), discord.add_role(discord.guild, "mods"))
    return AccessRules()


@pytest.fixture
async def here(monkeypatch):
    async with connected(monkeypatch, access=furnish) as here:
        await here.hear(here.discord.post(here.random, here.bot, "now the server has come in"))
        yield here


async def open_link(here, message, *, where=None, asker=None, access=None):
    """What the bot makes of a link to *message*, posted in *where*."""
    place = where or here.general
    reader = DiscordLinks(here.client, access=access or AccessRules(), clock=here.clock)
    (opened,) = await reader.read(
        [Link(channel_id=message.channel.id, message_id=message.id)],
        asker_id=(asker or here.discord.user("ben")).id,
        key=ConversationKey(channel_id=place.id),
        guild_id=place.guild.id if place.guild else None,
    )
    return opened


async def post(here, channel, **what):
    posted = await here.discord.post(channel, here.ada, TEXT, **what)
    await here.hear(here.discord.post(here.random, here.bot, "what was changed has arrived"))
    return posted


async def test_a_message_that_everybody_reads_is_read(here):
    message = await post(here, here.random)

    opened = await open_link(here, message)

    assert opened.note is None
    assert (opened.quote.message_id, opened.quote.text, opened.quote.author_name) == (message.id, TEXT, "Ada")
    validate_record(here.discord.requests)


@pytest.mark.parametrize("hidden", [{"view_channel": False}, {"read_message_history": False}])
async def test_what_the_asker_may_not_read_is_not_read(here, hidden):
    secret = here.discord.add_channel(here.discord.guild, "secret")
    everyone, mods = here.discord.guild.roles
    here.discord.overwrite(secret, everyone, **hidden)
    here.discord.overwrite(secret, mods, **dict.fromkeys(hidden, True))
    here.discord.set_permissions(secret, view_channel=True, read_message_history=True)
    message = await post(here, secret)

    bens = await open_link(here, message)
    adas = await open_link(here, message, asker=here.ada)

    assert bens == Opened(note=NOT_READABLE)
    assert adas.quote.text == TEXT
    assert not any(request.path.endswith(f"/messages/{message.id}") for request in here.discord.requests[:-1])


async def test_in_the_very_channel_the_asker_needs_to_read_its_history_too(here):
    here.discord.overwrite(here.general, here.discord.user("ben"), read_message_history=False)

    assert await open_link(here, await post(here, here.general)) == Opened(note=NOT_READABLE)


@pytest.mark.parametrize("hidden", [{"view_channel": False}, {"read_message_history": False}])
async def test_what_the_bot_may_not_read_is_not_even_asked_for(here, hidden):
    here.discord.set_permissions(here.random, **hidden)
    message = await here.discord.post(here.random, here.ada, TEXT)
    await here.hear(here.discord.post(here.general, here.bot, "what was changed has arrived"))

    assert await open_link(here, message) == Opened(note=NOT_READABLE)
    assert not any(request.path.endswith(f"/messages/{message.id}") for request in here.discord.requests)


async def test_threads_are_read_with_their_channel_and_also_when_they_are_archived(here):
    forum = here.discord.add_channel(here.discord.guild, "forum", type=ChannelType.FORUM)
    for parent in (here.random, forum):
        thread = here.discord.add_thread(parent, "ideas")
        message = await post(here, thread)

        opened = await open_link(here, message)
        assert (opened.quote.text, opened.parent_id) == (TEXT, parent.id)
        await here.discord.set_thread_state(thread, archived=True)
        here.client.get_guild(here.discord.guild.id)._remove_thread(discord.Object(thread.id))
        assert (await open_link(here, message)).quote.text == TEXT
        here.discord.overwrite(parent, here.discord.user("ben"), view_channel=False)
        await here.hear(here.discord.post(here.general, here.bot, "what was changed has arrived"))
        assert await open_link(here, message) == Opened(note=NOT_READABLE)


async def test_private_threads_are_read_in_themselves_only(here):
    thread = here.discord.add_thread(here.random, "between us", private=True)
    message = await post(here, thread)

    assert await open_link(here, message) == Opened(note=NOT_READABLE)
    assert (await open_link(here, message, where=thread)).quote.text == TEXT


async def test_of_dms_only_this_one_is_read(here):
    yours, adas = here.discord.open_dm(here.you), here.discord.open_dm(here.ada)
    message = await here.discord.post(adas, here.ada, TEXT)

    assert (await open_link(here, message, where=adas, asker=here.ada)).quote.text == TEXT
    assert await open_link(here, message, where=yours) == Opened(note=NOT_READABLE)
    assert await open_link(here, message) == Opened(note=NOT_READABLE)


async def test_another_servers_channel_is_not_read_under_this_ones_name(here):
    other = here.discord.add_guild("Other")
    message = await post(here, here.discord.add_channel(other, "elsewhere"))

    assert await open_link(here, message) == Opened(note=NOT_READABLE)


async def test_where_the_bot_does_not_answer_it_reads_nothing_either(here):
    message = await post(here, here.random)
    blocked = AccessRules(blocked_channels=frozenset({here.random.id}))

    assert await open_link(here, message, access=blocked) == Opened(note=NOT_READABLE)


async def test_who_has_left_the_server_reads_nothing_there(here):
    message = await post(here, here.random)
    here.discord.faults.add("GET", "/members/", status=404, code=10007)

    assert await open_link(here, message) == Opened(note=NOT_READABLE)


async def test_what_is_gone_or_has_no_words_is_named(here):
    gone = await post(here, here.random)
    await here.discord.delete(gone)
    picture = await here.discord.post(here.random, here.ada, attachments=[PICTURE])

    assert await open_link(here, gone) == Opened(note=GONE)
    assert "cat.png" in (await open_link(here, picture)).note


@pytest.mark.parametrize("status", [403, 404])
async def test_a_page_of_somebody_between_says_nothing_of_a_message_or_its_channel(here, status):
    thread = here.discord.add_thread(here.random, "ideas")
    messages = [await post(here, here.random), await post(here, thread)]
    here.client.get_guild(here.discord.guild.id)._remove_thread(discord.Object(thread.id))
    here.discord.faults.add(
        "GET", f"/messages/{messages[0].id}$|/channels/{thread.id}$", what="html", status=status, times=2
    )

    assert [await open_link(here, each) for each in messages] == [Opened(note=NOT_NOW)] * 2
    assert [(await open_link(here, each)).quote.text for each in messages] == [TEXT] * 2


async def test_discord_has_five_seconds_for_all_of_them(here):
    message = await post(here, here.random)
    slow = here.discord.faults.add("GET", f"/messages/{message.id}", what="hang")
    links = [Link(channel_id=here.random.id, message_id=message.id)] * 3
    key = ConversationKey(channel_id=here.general.id)
    reader = DiscordLinks(here.client, access=AccessRules(), clock=here.clock)

    reading = asyncio.create_task(
        reader.read(links, asker_id=here.you.id, key=key, guild_id=here.discord.guild.id)
    )
    await here.discord.until(lambda: here.discord.requests[-1].fault == "hang")
    await here.clock.advance(SECONDS_TO_READ)

    assert await reading == [Opened(note=NOT_NOW)] * 3
    slow.release()


async def test_a_question_brings_its_links_to_the_intake(here):
    linked = url(here.discord.guild.id, here.random.id, 7)
    elsewhere = url(42, 2, 3)

    await here.discord.post(here.general, here.you, f"{here.bot.mention} see {linked} and {elsewhere}")
    await here.discord.slash(here.general, here.you, "chat", {"message": f"see {linked} and {elsewhere}"})
    await here.intake.until(lambda: len(here.intake.taken) == 2)

    for asked in here.intake.taken:
        assert asked.links == (Link(channel_id=here.random.id, message_id=7),)
        assert asked.note == ELSEWHERE
        assert asked.text == f"see {linked} and {elsewhere}"
