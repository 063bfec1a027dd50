"""Who is answered where, by the lists: a real client before a loopback Discord."""

from contextlib import asynccontextmanager

import pytest

from bot.core.access import AccessRules
from bot.core.errors import DirectMessagesOff, DiscordUnavailable, PersonRefused, PlaceRefused, Undeliverable
from bot.discord.commands.reset import DONE
from bot.playground.loopback import ChannelType
from tests.discord.connected import connected
from tests.openapi import validate_record


@pytest.fixture
def bot_with(monkeypatch):
    """The bot with lists, of ids that are read off the loopback Discord. #general is a chat channel."""

    @asynccontextmanager
    async def bot_with(lists):
        def access(discord):
            return AccessRules(**lists(discord))

        async with connected(monkeypatch, chat_channels=["#general"], access=access) as here:
            await here.hear(here.discord.post(here.random, here.bot, "now the server has come in"))
            await here.catch_up.read(here.random.id)  # or that, later, asks for roles beside the test
            yield here

    return bot_with


def mods(discord):
    """The id of a role that Ada has."""
    known = [role for role in discord.guild.roles if role.name == "mods"]
    role = known[0] if known else discord.add_role(discord.guild, "mods")
    if not known:
        discord.give_role(discord.guild, discord.user("ada"), role)
    return {role.id}


def users(discord, *names):
    return {discord.user(name).id for name in names}


async def call(here, command, user=None, channel=None, **options):
    called = await here.discord.slash(channel or here.general, user or here.you, command, options)
    await here.discord.until(lambda: called.original)
    return called


async def everything_arrives(here):
    """As `until_here`, for bots that would not hear that."""
    await here.discord.post(here.discord.open_dm(here.ada), here.ada, "that's all")
    await here.intake.until(lambda: "that's all" in here.intake.texts)
    here.intake.taken.pop()
    here.intake.happened.pop()


async def test_who_has_no_allowed_role_is_not_answered_even_if_they_mention_the_bot(bot_with):
    async with bot_with(lambda discord: {"allowed_roles": mods(discord)}) as here:
        await here.discord.post(here.general, here.you, "Hello")
        await here.discord.post(here.random, here.you, f"{here.bot.mention} hello?")
        await here.discord.post(here.discord.open_dm(here.ada), here.ada, "no roles in here")
        await here.discord.post(here.general, here.ada, "Good morning")
        await here.until_here()

        assert here.intake.texts == ["Good morning"]


async def test_who_has_a_blocked_role_is_not_answered(bot_with):
    def lists(discord):
        return {"blocked_roles": mods(discord), "allowed_users": users(discord, "you", "ada")}

    async with bot_with(lists) as here:
        await here.discord.post(here.general, here.ada, f"{here.bot.mention} hello")
        await here.discord.post(here.general, here.you, "Hello")
        await everything_arrives(here)

        assert here.intake.texts == ["Hello"]


async def test_a_blocked_place_is_left_alone_with_what_is_below_it(bot_with):
    def lists(discord):
        talk = discord.add_channel(discord.guild, "talk", type=ChannelType.CATEGORY)
        discord.add_channel(discord.guild, "inside", parent=talk)
        return {"blocked_categories": {talk.id}, "blocked_channels": {discord.channel("#general").id}}

    async with bot_with(lists) as here:
        inside = here.discord.channel("inside")
        threads = [here.discord.add_thread(channel, "a") for channel in (inside, here.general)]
        for place in (inside, here.general, *threads):
            await here.discord.post(place, here.you, f"{here.bot.mention} hello")
            refused = await call(here, "chat", channel=place, message="Hello")
            assert (refused.original.content, refused.ephemeral) == (PlaceRefused.user_message, True)
        await here.until_here()

        assert here.intake.happened == []
        validate_record(here.discord.requests)


async def test_a_command_of_who_is_blocked_is_refused_in_private(bot_with):
    async with bot_with(lambda discord: {"blocked_users": users(discord, "you")}) as here:
        for command, options in (("chat", {"message": "Hello"}), ("reset", {})):
            refused = await call(here, command, **options)
            assert (refused.original.content, refused.ephemeral) == (PersonRefused.user_message, True)
        assert here.intake.happened == []

        here.discord.set_member_permissions(here.discord.guild, here.ada, manage_messages=True)
        assert (await call(here, "reset", here.ada)).original.content == DONE


async def test_a_role_counts_in_a_command(bot_with):
    async with bot_with(lambda discord: {"allowed_roles": mods(discord)}) as here:
        refused = await call(here, "chat", message="Hello")
        await here.discord.slash(here.general, here.ada, "chat", {"message": "Hello again"})

        await here.intake.until(lambda: here.intake.texts == ["Hello again"])
        assert refused.original.content == PersonRefused.user_message


async def test_where_dms_are_off_they_are_turned_away_and_commands_in_them_refused(bot_with):
    async with bot_with(lambda _: {"direct_messages": False}) as here:
        dm = here.discord.open_dm(here.you)

        said = await here.discord.post(dm, here.you, "Hello")
        refused = await call(here, "chat", channel=dm, message="Hello")
        await here.until_here()

        assert here.intake.happened == [("turned away", said.id, "access_refused")]
        assert (refused.original.content, refused.ephemeral) == (DirectMessagesOff.user_message, True)


@pytest.mark.parametrize(("lists", "heard"), [({"blocked_categories": {42}}, []), ({}, ["hello"])])
async def test_a_server_that_has_not_come_in_yet_may_hold_a_blocked_place(bot_with, lists, heard):
    async with bot_with(lambda _: lists) as here:
        here.client._connection._remove_guild(here.client.get_guild(here.discord.guild.id))

        await here.discord.post(here.random, here.you, f"{here.bot.mention} hello")
        await everything_arrives(here)

        assert here.intake.texts == heard


# Messages that are read later, through REST, come without their author's roles


async def questions(here, *authors):
    """Whether what each of them said is a question, read later."""
    posts = [await here.discord.post(here.random, author, f"{here.bot.mention} hello") for author in authors]
    channel = here.client.get_channel(here.random.id)
    messages = [await channel.fetch_message(post.id) for post in posts]
    return [await here.client.hearing.question_in(message) is not None for message in messages]


def members_asked_for(here):
    return sum("/members/" in request.path for request in here.discord.requests)


async def test_roles_are_asked_for_once_a_person(bot_with):
    async with bot_with(lambda discord: {"allowed_roles": mods(discord)}) as here:
        assert await questions(here, here.ada, here.ada, here.you) == [True, True, False]
        assert members_asked_for(here) == 2
        validate_record(here.discord.requests)


async def test_without_lists_of_roles_nobody_is_asked_for(bot_with):
    async with bot_with(lambda discord: {"blocked_users": users(discord, "ada")}) as here:
        assert await questions(here, here.ada, here.you) == [False, True]
        assert members_asked_for(here) == 0


async def test_who_left_the_server_has_no_roles(bot_with):
    async with bot_with(lambda discord: {"blocked_roles": mods(discord)}) as here:
        here.discord.faults.add("GET", "/members/", status=404, code=10007)

        assert await questions(here, here.ada) == [True]


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"status": 403, "code": 50001}, Undeliverable), ({"status": 404, "what": "html"}, DiscordUnavailable)],
)
async def test_roles_that_discord_does_not_tell_are_asked_for_again(bot_with, fault, error):
    async with bot_with(lambda discord: {"blocked_roles": mods(discord)}) as here:
        here.discord.faults.add("GET", "/members/", **fault)

        with pytest.raises(error):
            await questions(here, here.ada)
        assert await questions(here, here.ada) == [False]
