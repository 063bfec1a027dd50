"""What is known before anything connects, and what is said when it is not good."""

import asyncio
import logging
from dataclasses import replace
from itertools import islice

import pytest

from bot.core.errors import StartupRefused
from bot.discord import preflight
from bot.discord.preflight import (
    Application,
    backoff_seconds,
    invite_link,
    is_token_refused,
    look_up_application,
    wants_message_content,
)
from bot.log_lines import TextFormatter
from bot.playground.loopback import LoopbackDiscord
from tests.clock import ManualClock

GRANTED = Application(id=1, name="confab", message_content_granted=True, gateway_url="wss://x")
NOT_GRANTED = Application(id=1, name="confab", message_content_granted=False, gateway_url="wss://x")


def formatted(record):
    """What the log shows of it: of an exception no more than its name."""
    return TextFormatter(()).format(record).partition(f"{record.name}: ")[2]


@pytest.mark.parametrize("granted", [True, False])
async def test_the_application_is_as_discord_knows_it(granted):
    async with LoopbackDiscord(message_content_granted=granted) as discord:
        application = await look_up_application(api_url=discord.api_url, token=discord.token, clock=ManualClock())

    assert application.id == discord.application_id
    assert application.name == discord.bot_user.name
    assert application.message_content_granted is granted
    assert application.gateway_url == discord.gateway_url


async def test_the_owner_is_who_made_the_application_or_the_people_of_its_team():
    async with LoopbackDiscord() as discord:
        alone = await look_up_application(api_url=discord.api_url, token=discord.token, clock=ManualClock())

    members = [{"user": {"id": str(n)}, "membership_state": state} for n, state in ((7, 2), (8, 1), (9, 2))]
    assert alone.owner_ids == (discord.user("you").id,)
    assert preflight._owner_ids({"owner": {"id": "1"}, "team": {"members": members}}) == (7, 9)
    assert preflight._owner_ids({}) == ()


async def test_a_wrong_token_is_refused_with_a_cure_and_without_showing_it():
    async with LoopbackDiscord() as discord:
        with pytest.raises(StartupRefused, match=r"DISCORD_TOKEN is refused.*Reset Token") as refused:
            await look_up_application(api_url=discord.api_url, token="wrong.token.here", clock=ManualClock())

    assert "wrong.token.here" not in str(refused.value)


@pytest.mark.parametrize(("status", "refused"), [(401, True), (503, False), (404, False), (200, False)])
async def test_only_a_second_401_says_that_the_token_is_refused(status, refused):
    async with LoopbackDiscord() as discord:
        if status != 200:
            discord.faults.add("GET", "/users/@me", status=status)
        found = await is_token_refused(api_url=discord.api_url, token=discord.token, clock=ManualClock())

    assert found is refused


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"status": 503}, "HTTP 503"),
        ({"what": "html"}, "HTTP 502"),
        ({"what": "html", "status": 200}, "the answer is not Discord's; check DISCORD_API_URL"),
        ({"what": "reset", "times": 2}, "the connection was cut"),  # aiohttp asks a second time by itself
        ({"what": "truncated"}, "the answer is not Discord's; check DISCORD_API_URL"),
        ({"what": "rate_limit"}, "HTTP 429"),
    ],
)
async def test_an_outage_is_waited_out_and_said_plainly(fault, why, caplog):
    clock = ManualClock()
    async with LoopbackDiscord() as discord:
        discord.faults.add("GET", "/applications/@me", **fault)
        with caplog.at_level(logging.WARNING):
            looking = asyncio.create_task(
                look_up_application(api_url=discord.api_url, token=discord.token, clock=clock)
            )
            await clock.until_sleeping()
            await clock.advance(5)
            application = await asyncio.wait_for(looking, 10)

    assert application.id == discord.application_id
    (warning,) = [record for record in caplog.records if record.name == "bot.discord.preflight"]
    assert formatted(warning) == f"Discord can't be reached ({why}); trying again in 5 s"


async def test_it_is_said_once_that_discord_is_waited_for_however_long(caplog):
    clock = ManualClock()
    async with LoopbackDiscord() as discord:
        discord.faults.add("GET", "/applications/@me", times=3, status=503)
        with caplog.at_level(logging.INFO):
            looking = asyncio.create_task(
                look_up_application(api_url=discord.api_url, token=discord.token, clock=clock)
            )
            for seconds in (5, 10, 20):
                await clock.until_sleeping()
                await clock.advance(seconds)
            await asyncio.wait_for(looking, 10)

    told = [record.getMessage() for record in caplog.records if record.name == "bot.discord.preflight"]
    assert [each.split(" (")[0] for each in told if "can't be reached" in each] == ["Discord can't be reached"] * 3
    assert [each.split(",")[0] for each in told if "can't be reached" not in each] == [
        "going on until Discord answers"
    ]


@pytest.mark.parametrize(("left", "seconds"), [(100, 864), (1, 86_400), (0, 86_400)])
async def test_the_last_sessions_of_a_day_are_spread_over_it(left, seconds, caplog):
    clock = ManualClock()
    async with LoopbackDiscord() as discord:
        discord.faults.use_up_sessions(left=left)
        looking = asyncio.create_task(
            look_up_application(api_url=discord.api_url, token=discord.token, clock=clock)
        )
        await clock.until_sleeping()
        await clock.advance(seconds - 1)
        waited = not looking.done()
        await clock.advance(1)
        application = await asyncio.wait_for(looking, 10)

    assert waited
    assert application.sessions_left == left
    assert f"only {left} connections to Discord are left for the next 24.0 hours" in caplog.text
    assert f"beginning the next one in {seconds} s" in caplog.text


def test_a_crash_loop_that_remembers_nothing_does_not_use_up_a_day():
    begun, now, day = 0, 0.0, 86_400.0
    while now < day:
        begun += 1
        start = replace(GRANTED, sessions_left=1000 - begun, sessions_renewed_in=day - now)
        now += start.seconds_to_spare_sessions + 1

    assert begun < 1000


async def test_while_there_are_sessions_enough_the_next_one_waits_for_nothing():
    async with LoopbackDiscord() as discord:
        discord.faults.use_up_sessions(left=101)
        looking = look_up_application(api_url=discord.api_url, token=discord.token, clock=ManualClock())
        application = await asyncio.wait_for(looking, 10)

    assert application.sessions_left == 101


async def test_a_server_that_never_answers_is_asked_again():
    clock = ManualClock()
    async with LoopbackDiscord() as discord:
        discord.faults.add("GET", "/gateway/bot", what="hang")
        looking = asyncio.create_task(
            look_up_application(api_url=discord.api_url, token=discord.token, clock=clock)
        )
        await discord.until(lambda: any(request.path.endswith("/gateway/bot") for request in discord.requests))
        await clock.advance(20)
        await clock.until_sleeping()
        await clock.advance(5)

        await asyncio.wait_for(looking, 10)


async def test_a_server_that_is_not_there_is_asked_again_and_the_log_says_why(caplog):
    clock = ManualClock()
    async with LoopbackDiscord() as discord:
        gone = discord.api_url
    looking = asyncio.create_task(look_up_application(api_url=gone, token="a", clock=clock))

    await clock.until_sleeping()

    assert not looking.done()
    assert "(nothing listens at that address)" in formatted(caplog.records[-1])
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_an_address_that_is_no_discord_is_refused_with_a_cure():
    async with LoopbackDiscord() as discord:
        elsewhere = discord.api_url.removesuffix("/v10") + "/v99"
        with pytest.raises(StartupRefused, match="DISCORD_API_URL"):
            await look_up_application(api_url=elsewhere, token=discord.token, clock=ManualClock())


@pytest.mark.parametrize("url", ["ws://gateway.example", "http://127.0.0.1/", "ws://127.0.0.1.example/"])
async def test_a_gateway_that_would_get_the_token_unencrypted_is_refused(url):
    async with LoopbackDiscord() as discord:
        discord._gateway.address = url
        with pytest.raises(StartupRefused, match="encryption"):
            await look_up_application(api_url=discord.api_url, token=discord.token, clock=ManualClock())


@pytest.mark.parametrize(
    ("setting", "application", "wanted"),
    [
        ("auto", GRANTED, True),
        ("auto", NOT_GRANTED, False),
        ("on", GRANTED, True),
        ("off", GRANTED, False),
        ("off", NOT_GRANTED, False),
    ],
)
def test_the_message_content_intent_is_requested_only_where_it_is_granted_and_wanted(setting, application, wanted):
    assert wants_message_content(setting, application) is wanted


def test_an_intent_that_is_required_and_not_granted_is_refused_with_a_cure():
    with pytest.raises(StartupRefused, match=r"/applications/1/bot .*MESSAGE_CONTENT=off"):
        wants_message_content("on", NOT_GRANTED)


def test_what_is_missing_without_the_intent_is_said_at_the_start(caplog):
    with caplog.at_level(logging.INFO):
        wants_message_content("auto", NOT_GRANTED)

    assert "the message content intent is not granted" in caplog.text


def test_waiting_doubles_from_five_seconds_to_a_quarter_of_an_hour():
    assert list(islice(backoff_seconds(), 10)) == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_the_invitation_asks_for_the_least_permissions():
    permissions = 1 << 10 | 1 << 11 | 1 << 15 | 1 << 16 | 1 << 38

    assert invite_link(42) == (
        "https://discord.com/oauth2/authorize?client_id=42"
        f"&scope=bot+applications.commands&permissions={permissions}"
    )
