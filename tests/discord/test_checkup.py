"""What `doctor` says of Discord's side, asked of the loopback Discord."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.access import AccessRules
from bot.core.findings import State
from bot.discord import permission_checkup
from bot.discord.checkup import check_discord
from bot.discord.clock_checkup import check_clock, seconds_off
from bot.playground.loopback import ChannelType, LoopbackDiscord
from tests.clock import ManualClock

OK, WARNING, WRONG = State.OK, State.WARNING, State.WRONG


@pytest.fixture
async def discord():
    async with LoopbackDiscord() as discord:
        yield discord


async def examine(discord, **changes):
    asked = {"token": discord.token, "message_content": "auto", "chat_channels": frozenset()} | changes
    asked.setdefault("access", AccessRules())
    return [each async for each in check_discord(api_url=discord.api_url, clock=ManualClock(), **asked)]


async def permissions(discord, *chat_channels, **lists):
    """Subject, state and detail of each finding about permissions."""
    findings = await examine(discord, chat_channels=frozenset(chat_channels), access=AccessRules(**lists))
    return [(each.subject, each.state, each.detail) for each in findings if each.check == "permissions"]


async def test_a_good_set_up_is_good_and_takes_few_requests(discord):
    found = await examine(discord)

    assert {each.state for each in found} == {OK}
    assert [each.check for each in found] == ["token", "intent", "invite", "permissions"]
    assert f"client_id={discord.application_id}" in found[2].detail
    assert len(discord.requests) == 8


async def test_what_ends_the_examination_is_its_only_finding(discord):
    (wrong_token,) = await examine(discord, token="wrong.token.here")
    discord.faults.add("GET", "/applications/@me", status=503)
    (outage,) = await examine(discord)

    assert (wrong_token.subject, wrong_token.state) == ("DISCORD_TOKEN", WRONG)
    assert "Reset Token" in wrong_token.cure
    assert (outage.state, outage.detail) == (WRONG, "can't be reached (HTTP 503)")


async def test_a_discord_that_cannot_be_reached_is_told_in_words():
    nowhere = {"api_url": "http://127.0.0.1:1/api/v10", "clock": ManualClock()}
    asked = {"token": "t", "message_content": "auto", "chat_channels": frozenset(), "access": AccessRules()}
    (outage,) = [each async for each in check_discord(**nowhere, **asked)]
    clock = await check_clock(**nowhere)

    assert outage.detail == "can't be reached (nothing listens at that address)"
    assert clock.detail == "can't be compared with Discord's (nothing listens at that address)"


async def test_a_server_that_is_not_discord_is_told_and_its_clock_is_not_asked(discord):
    discord.faults.add("GET", "/applications/@me", what="html", status=200)
    discord.faults.add("GET", "/gateway", what="html", status=200)
    (outage,) = await examine(discord)
    clock = await check_clock(api_url=discord.api_url, clock=ManualClock(start=datetime.now(tz=UTC)))

    assert outage.detail == "can't be reached (the answer is not Discord's; check DISCORD_API_URL)"
    assert (clock.state, "the answer is not Discord's" in clock.detail) == (WARNING, True)


@pytest.mark.parametrize(
    ("setting", "granted", "chat_channels", "state"),
    [
        ("on", False, (), WRONG),
        ("auto", False, (), OK),
        ("auto", False, (1,), WARNING),
        ("off", True, (1,), WARNING),
        ("off", True, (), OK),
        ("on", True, (1,), OK),
    ],
)
async def test_the_intent_is_needed_for_what_was_asked_for(discord, setting, granted, chat_channels, state):
    discord.world.message_content_granted = granted

    found = await examine(discord, message_content=setting, chat_channels=frozenset(chat_channels))

    assert found[1].state is state


async def test_each_channel_that_lacks_something_is_named_with_what_it_lacks(discord):
    general, random = discord.channel("general"), discord.channel("random")
    discord.set_permissions(general, send_messages=False, read_message_history=False)
    discord.set_permissions(random, send_messages_in_threads=False)
    discord.set_permissions(discord.add_channel(discord.guild, "files"), attach_files=False)

    assert await permissions(discord, general.id) == [
        ("Playground / #general", WRONG, "in CHAT_CHANNELS, missing: Send Messages and Read Message History"),
        ("Playground / #files", WARNING, "missing: Attach Files, which very long answers use"),
        ("Playground / #random", WARNING, "missing: Send Messages in Threads"),
    ]


async def test_a_hidden_channel_is_a_fault_only_where_the_bot_should_answer(discord):
    general = discord.channel("general")
    discord.set_permissions(general, view_channel=False)

    assert await permissions(discord) == [("Playground", OK, "its one channel ok, 1 more hidden from the bot")]
    assert ("Playground / #general", WRONG, "in CHAT_CHANNELS, missing: View Channel") in await permissions(
        discord, general.id
    )


async def test_a_kind_of_channel_needs_what_is_done_in_it(discord):
    for kind in (ChannelType.FORUM, ChannelType.VOICE, ChannelType.CATEGORY):
        channel = discord.add_channel(discord.guild, kind.name.lower(), type=kind)
        spared = "send_messages" if kind is ChannelType.FORUM else "send_messages_in_threads"
        discord.set_permissions(channel, **{spared: False})

    assert await permissions(discord) == [("Playground", OK, "all 4 channels ok")]


async def test_a_server_where_the_bot_can_write_nowhere_is_a_fault(discord):
    for channel in list(discord.world.channels.values()):
        discord.set_permissions(channel, send_messages=False)

    assert ("Playground", WRONG, "the bot can write in none of the 2 channels") in await permissions(discord)


async def test_chat_channels_that_lead_nowhere_are_faults(discord):
    lost = discord.add_channel(discord.add_guild("Left"), "lost")
    await discord.remove_guild(lost.guild)
    thread = discord.add_thread(discord.channel("general"), "side")
    hidden = discord.add_thread(discord.channel("general"), "secret", private=True, bot_is_member=False)
    category = discord.add_channel(discord.guild, "talk", type=ChannelType.CATEGORY)

    found = await permissions(discord, 42, lost.id, thread.id, hidden.id, category.id)

    assert {subject: (state, detail) for subject, state, detail in found} == {
        "Playground": (OK, "all 2 channels ok"),
        "Playground / talk": (WRONG, "is in CHAT_CHANNELS, and is no channel that people write in"),
        "CHAT_CHANNELS / 42": (WRONG, "there is no such channel"),
        f"CHAT_CHANNELS / {lost.id}": (WRONG, "the bot can't see this channel, or is not on its server"),
        f"CHAT_CHANNELS / {thread.id}": (OK, "is a thread, with the permissions of the channel above it"),
        f"CHAT_CHANNELS / {hidden.id}": (WRONG, "the bot can't see this channel, or is not on its server"),
    }


async def test_chat_channels_that_the_lists_leave_out_are_named(discord):
    talk = discord.add_channel(discord.guild, "talk", type=ChannelType.CATEGORY)
    inside = discord.add_channel(discord.guild, "inside", parent=talk)
    thread, dm = discord.add_thread(inside, "side"), discord.open_dm(discord.user("you"))
    general = discord.channel("general")
    chosen = (general.id, inside.id, thread.id, dm.id)

    blocked = await permissions(discord, *chosen, blocked_categories={talk.id}, direct_messages=False)
    allowed = await permissions(discord, *chosen, allowed_categories={talk.id})

    def warnings(found):
        return {subject: detail for subject, state, detail in found if state is WARNING}

    assert warnings(blocked) == {
        "Playground / #inside": "in CHAT_CHANNELS, and blocked",
        f"CHAT_CHANNELS / {thread.id}": "in CHAT_CHANNELS, and blocked",
        f"CHAT_CHANNELS / {dm.id}": "in CHAT_CHANNELS, and DIRECT_MESSAGES is off",
    }
    assert warnings(allowed) == {"Playground / #general": "in CHAT_CHANNELS, and not among the ones allowed"}


async def test_a_bot_on_no_server_is_told_how_to_get_on_one(discord):
    await discord.remove_guild(discord.guild)

    assert await permissions(discord) == [("servers", WARNING, "the bot is on none")]


async def test_of_very_many_servers_those_of_chat_channels_are_looked_at_and_the_rest_is_counted(
    discord, monkeypatch
):
    monkeypatch.setattr(permission_checkup, "MOST_SERVERS", 1)
    talk = discord.add_channel(discord.add_guild("Second"), "talk")
    discord.add_guild("Third")

    assert await permissions(discord, talk.id) == [
        ("Playground", OK, "all 2 channels ok"),
        ("Second", OK, "its one channel ok"),
        ("servers", OK, "1 more were not looked at"),
    ]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_page_of_somebody_between_is_not_read_as_a_channel_that_is_missing(discord, status):
    discord.faults.add("GET", "/channels/42$", what="html", status=status)

    found = await permissions(discord, 42)

    assert found[-1] == (
        "CHAT_CHANNELS / 42",
        WARNING,
        f"Discord did not tell (HTTP {status}, and not in Discord's words)",
    )


async def test_a_server_that_discord_does_not_tell_of_does_not_end_the_examination(discord):
    discord.faults.add("GET", "/guilds/{guild_id}/channels", status=403, code=50001)

    ((subject, state, detail),) = await permissions(discord)

    assert (subject, state) == (f"server {discord.guild.id}", WARNING)
    assert detail == "Discord did not tell (HTTP 403, code 50001)"


async def test_a_name_cannot_move_the_cursor(discord):
    discord.guild.name = "Play\x1b[2Jground\r\u202e"

    assert (await permissions(discord))[0][0] == "Play[2Jground"


class TestClock:
    async def test_a_clock_that_is_wrong_is_told_by_how_much(self, discord):
        clock = ManualClock(start=datetime.now(tz=UTC) + timedelta(hours=1))

        ahead = await check_clock(api_url=discord.api_url, clock=clock)

        assert ahead.state is WRONG
        assert ahead.detail.endswith(" s ahead of Discord's")
        assert "timedatectl" in ahead.cure

    @pytest.mark.parametrize(
        ("asked", "answered", "off"), [(0, 0, 0), (0.9, 1.9, 0), (-5, 0.5, 0), (4, 4.2, 3), (-9, -2.5, -2.5)]
    )
    def test_only_what_is_certain_counts(self, asked, answered, off):
        date = datetime(2026, 1, 1, tzinfo=UTC)

        found = seconds_off(
            asked=date + timedelta(seconds=asked), date=date, answered=date + timedelta(seconds=answered)
        )

        assert found == pytest.approx(off)
