"""Which events reach the intake, and a connection that stays up: a real client, a real socket."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from bot.connections import NewestFirst
from bot.core.admission import Admission, AdmissionLimits
from bot.core.answer import Answerer, AnswerLimits
from bot.core.as_told import AsTold
from bot.core.changes import Changes
from bot.core.conversation_queue import ConversationQueue
from bot.core.errors import StartupRefused
from bot.core.fair_slots import FairSlots
from bot.core.generation import Patience
from bot.core.handled import EVERYWHERE, MARGIN, Handled
from bot.core.intake import Intake
from bot.core.links import Links
from bot.core.messages import ConversationKey
from bot.core.models import Models
from bot.core.spending import Spending
from bot.discord.buttons import again_button, stop_button
from bot.discord.catch_up import SECONDS_BETWEEN_MARKS
from bot.discord.identify import SESSIONS, WINDOW, IdentifyPace
from bot.discord.payloads import Content
from bot.discord.quoting import QUOTED_GONE
from bot.discord.replies import DiscordReplies
from bot.playground.loopback import ChannelType, Intent, Upload, gateway_line
from tests.clock import ManualClock
from tests.discord.connected import Connected, NoLookUps, connected, prepared
from tests.fakes import FakeLinks, FakeModel, FakePrices, FakeStore, no_budgets
from tests.openapi import validate_record

PICTURE = Upload(filename="cat.png", data=b"meow", content_type="image/png")
A_DAY = 86_400


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connected]:
    """#general is a chat channel, #random is not."""
    async with connected(monkeypatch, chat_channels=["#general"]) as here:
        yield here


# When it answers


async def place(here: Connected, name: str):
    """A channel of each kind; those under "chat" belong to a chat channel."""
    world, guild = here.discord, here.discord.guild
    return {
        "chat": lambda: here.general,
        "chat thread": lambda: world.add_thread(here.general, "below chat"),
        "elsewhere": lambda: here.random,
        "other thread": lambda: world.add_thread(here.random, "below other"),
        "forum post": lambda: world.add_thread(
            world.add_channel(guild, "forum", type=ChannelType.FORUM), "a post"
        ),
        "voice text": lambda: world.add_channel(guild, "voice", type=ChannelType.VOICE),
        "dm": lambda: world.open_dm(here.you),
    }[name]()


@pytest.mark.parametrize("where", ["chat", "chat thread", "dm"])
async def test_every_message_is_answered_in_dms_and_chat_channels(here, where):
    channel = await place(here, where)

    said = await here.discord.post(channel, here.you, "Hello there")

    await here.intake.until(lambda: here.intake.taken)
    assert here.intake.taken[0].message_id == said.id


@pytest.mark.parametrize("where", ["elsewhere", "other thread", "forum post", "voice text"])
async def test_elsewhere_only_mentions_and_replies_are_answered(here, where):
    channel = await place(here, where)
    earlier = await here.discord.post(channel, here.bot, "I am here.")
    remark = await here.discord.post(channel, here.ada, "So are we")

    await here.discord.post(channel, here.you, "Hello there")
    await here.discord.post(channel, here.you, "I agree", reply_to=remark)
    mention = await here.discord.post(channel, here.you, f"{here.bot.mention} hello")
    inside = await here.discord.post(channel, here.you, f"What does {here.bot.mention} say?")
    bare = await here.discord.post(channel, here.you, here.bot.mention)
    pinged = await here.discord.post(channel, here.you, "Why?", reply_to=earlier)
    unpinged = await here.discord.post(channel, here.you, "Really?", reply_to=earlier, ping_reply=False)
    await here.until_here()

    answered = [message.message_id for message in here.intake.taken]
    assert answered == [mention.id, inside.id, bare.id, pinged.id, unpinged.id]


@pytest.mark.parametrize("where", ["chat", "elsewhere", "dm"])
async def test_bots_webhooks_system_messages_and_nothing_at_all_are_never_answered(here, where):
    channel = await place(here, where)
    robot = here.discord.add_user("robot", bot=True)
    hello = f"{here.bot.mention} hello"

    await here.discord.post(channel, robot, hello)
    await here.discord.post(channel, here.you, hello, webhook=True)
    await here.discord.post(channel, here.bot, hello)
    for system in (6, 7, 8, 18, 20, 21, 22, 23, 24, 46):
        await here.discord.post(channel, here.you, hello, type=system)
    await here.discord.post(channel, here.you, "")
    await here.until_here()

    assert here.intake.taken == []


async def test_neither_everyone_nor_somebody_elses_mention_is_a_mention_of_the_bot(here):
    await here.discord.post(here.random, here.you, f"@everyone and {here.ada.mention}, hello")
    await here.discord.post(here.random, here.you, f"`{here.bot.mention}` is how you mention it")
    await here.until_here()

    assert here.intake.taken == []


async def test_a_picture_without_words_is_answered_where_every_message_is(here):
    await here.discord.post(here.random, here.you, attachments=[PICTURE])
    picture = await here.discord.post(here.general, here.you, attachments=[PICTURE])
    await here.until_here()

    assert [message.message_id for message in here.intake.taken] == [picture.id]


async def test_without_the_intent_mentions_pinged_replies_and_dms_are_answered(monkeypatch):
    async with connected(monkeypatch, granted=False, chat_channels=["#general"]) as here:
        answer = await here.discord.post(here.general, here.bot, "I am here.")
        dm = here.discord.open_dm(here.you)

        await here.discord.post(here.general, here.you, "Nobody can read this")
        await here.discord.post(here.general, here.you, f"{here.bot.mention} one")
        await here.discord.post(here.general, here.you, "two", reply_to=answer)
        await here.discord.post(dm, here.you, "three")
        await here.until_here()

        assert here.intake.texts == ["one", "two", "three"]
        assert not here.discord.hellos[0].intents & Intent.MESSAGE_CONTENT


# What else happens


async def test_an_edit_reaches_the_intake_as_it_would_have_been_read(here):
    said = await here.discord.post(here.general, here.you, "Hello")

    await here.discord.edit(said, f"{here.bot.mention} hello, {here.ada.mention}")
    await here.until_here()

    edit = ("edited", said.id, "hello, @Ada", said.content, None, said.edited_timestamp)
    assert here.intake.happened[1:] == [edit]


async def test_an_edit_says_anew_what_of_it_cannot_be_read(here):
    gone = await here.discord.post(here.general, here.ada, "The sea is green.")
    await here.discord.delete(gone)
    bare = await here.discord.post(here.general, here.you, here.bot.mention, reply_to=gone)
    with_file = await here.discord.post(here.general, here.you, f"{here.bot.mention} look", attachments=[PICTURE])

    await here.discord.edit(bare, f"{here.bot.mention}\n")
    with_file.attachments.clear()
    await here.discord.edit(with_file, with_file.content)
    await here.until_here()

    edits = [(event[1], event[4]) for event in here.intake.happened if event[0] == "edited"]
    assert edits == [(bare.id, QUOTED_GONE), (with_file.id, None)]


async def test_an_unfurled_link_is_no_edit(here):
    said = await here.discord.post(here.general, here.you, "https://example.com/")

    assert await here.discord.unfurl(said)
    await here.until_here()

    assert here.intake.happened == [("taken", said.id)]


async def test_our_own_edits_are_told_to_who_quotes_them_once_nothing_grows_any_more(here):
    posted = await here.outbox.create(here.general.id, "Draft", nonce="a")

    await here.outbox.edit(here.general.id, posted.message_id, Content(text="Draft, more", button=stop_button(1)))
    await here.outbox.edit(here.general.id, posted.message_id, Content(text="Final", button=again_button(1)))
    await here.until_here()

    assert [event[:3] for event in here.intake.happened] == [("edited", posted.message_id, "Final")]


async def test_deletions_reach_the_intake_whether_or_not_the_messages_are_known(here):
    one, two, three = [await here.discord.post(here.random, here.ada, text) for text in "123"]

    await here.discord.delete(one)
    await here.discord.bulk_delete([three, two])
    await here.until_here()

    assert here.intake.happened == [("deleted", one.id), ("deleted", two.id, three.id)]


async def test_a_deleted_channel_and_a_deleted_thread_reach_the_intake(here):
    thread = here.discord.add_thread(here.general, "ideas")

    await here.discord.delete_thread(thread)
    await here.discord.delete_channel(here.general)
    await here.until_here()

    assert here.intake.happened == [("channel deleted", thread.id), ("channel deleted", here.general.id)]


async def test_a_guild_that_we_left_reaches_the_intake_and_an_outage_does_not(here):
    troubled, left = here.discord.add_guild("Troubled"), here.discord.add_guild("Left")

    await here.discord.remove_guild(troubled, unavailable=True)
    await here.discord.remove_guild(left)
    await here.until_here()

    assert here.intake.happened == [("guild left", left.id)]


async def test_our_own_message_is_heard_before_the_library_lets_go_of_its_request(here):
    answering = here.discord.faults.add("POST", r"/messages$", what="hang", when="after")

    posted = await here.outbox.create(here.random.id, "Hello", nonce="a")

    assert [posted.message_id] == [message.id for message in here.discord.messages(here.random)]
    answering.release()


async def test_an_event_that_fails_is_logged_without_its_text_and_the_next_is_served(here, caplog):
    here.intake.fault = ValueError("unforeseen")

    with caplog.at_level(logging.ERROR):
        await here.discord.post(here.general, here.you, "my secret diary")
        await here.discord.post(here.general, here.you, "hello again")
        await here.intake.until(lambda: len(here.intake.taken) == 2)
        await here.until_here()

    failures = [record for record in caplog.records if record.name == "bot.discord.client"]
    assert failures
    assert all(record.getMessage() == "the event on_message was not handled" for record in failures)
    assert failures[0].exc_info[0] is ValueError
    assert "diary" not in caplog.text


async def test_a_mention_is_answered_from_end_to_end(monkeypatch):
    async with prepared(monkeypatch, wired=False) as here:
        model = FakeModel(["The sky is ", "blue."])
        replies = DiscordReplies(store=here.store, outbox=here.outbox, clock=here.clock)
        limits = AnswerLimits(
            system_prompt="You are a friendly assistant!",
            history_tokens=8000,
            max_answer_tokens=500,
            patience=Patience(),
            answer_within=timedelta(hours=1),
        )
        budgets = no_budgets(here.clock)
        spending = Spending(
            prices=FakePrices(), budgets=budgets, store=here.store, models=[model.name], clock=here.clock
        )
        answerer = Answerer(
            store=here.store,
            models=Models([model], clock=here.clock),
            spending=spending,
            links=Links(store=here.store, reader=FakeLinks()),
            replies=replies,
            clock=here.clock,
            limits=limits,
        )
        changes = Changes(here.clock)
        queue = ConversationQueue(
            store=here.store,
            answerer=answerer,
            slots=FairSlots(2),
            clock=here.clock,
            budget=lambda: limits.budget,
            missed=here.catch_up,
            changes=changes,
            as_told=AsTold(changes, here.store),
        )
        intake = Intake(
            store=here.store,
            queue=queue,
            replies=replies,
            clock=here.clock,
            handled=Handled(),
            admission=Admission(queue.line, clock=here.clock, limits=AdmissionLimits(), budgets=budgets),
            spending=spending,
        )
        here.client.wire(
            intake=intake,
            look_ups=NoLookUps(),
            presses=here.presses,
            outbox=here.outbox,
            store=here.store,
            catch_up=here.catch_up,
            policy=here.policy,
            usage=here.store,
        )
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        await here.discord.until(lambda: here.discord.commands and here.discord.sessions)
        for channel in (here.general, here.random):  # or their questions wait for that, for unequal times
            await here.catch_up.read(channel.id)

        asked = await here.discord.post(here.general, here.you, f"{here.bot.mention} Why is the sky blue?")
        called = await here.discord.slash(here.random, here.ada, "chat", {"message": "And the sea?"})

        answer = await here.discord.until(lambda: here.discord.messages(here.general)[1:])
        assert (answer[0].content, answer[0].replied_to) == ("The sky is blue.", asked)
        await here.discord.until(lambda: called.original and called.original.content.endswith("All good."))
        assert called.original.content == "> And the sea?\nAll good."
        assert ("user", "Why is the sky blue?") in model.turns(0)
        await queue.drain(grace=1)
        await here.client.close()
        await running
        validate_record(here.discord.requests)


# Staying connected


async def test_it_asks_for_no_more_than_it_needs(here):
    (hello,) = here.discord.hellos

    wanted = Intent.GUILDS | Intent.GUILD_MESSAGES | Intent.DIRECT_MESSAGES | Intent.MESSAGE_CONTENT
    assert hello.intents == wanted


async def test_messages_are_served_before_the_library_calls_itself_ready(here):
    assert not here.client.is_ready()

    await here.discord.post(here.general, here.you, "Hello")

    await here.intake.until(lambda: here.intake.texts == ["Hello"])


async def test_a_lost_connection_is_resumed_and_nothing_is_missed(here):
    here.discord.faults.cut_gateway()
    await here.discord.until(lambda: not here.discord.sessions)
    await here.discord.post(here.general, here.you, "Are you there?")

    await here.intake.until(lambda: here.intake.texts == ["Are you there?"])
    assert [hello.kind for hello in here.discord.hellos] == ["identify", "resume"]


@pytest.mark.parametrize("trouble", ["asked to reconnect", "invalid for now", "zombie"])
async def test_a_session_that_can_be_resumed_is_not_begun_anew(monkeypatch, trouble):
    monkeypatch.setattr(gateway_line, "HEARTBEAT_MILLISECONDS", 50)
    async with prepared(monkeypatch) as here:
        here.client._connection.heartbeat_timeout = 0.5 if trouble == "zombie" else 60.0
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        await here.discord.until(lambda: here.discord.sessions)

        match trouble:
            case "asked to reconnect":
                here.discord.faults.ask_to_reconnect()
            case "invalid for now":
                here.discord.faults.invalidate_session(resumable=True)
            case "zombie":
                here.discord.faults.drop_heartbeat_acks = True
        await here.discord.until(lambda: [hello.kind for hello in here.discord.hellos][1:2] == ["resume"])
        here.discord.faults.drop_heartbeat_acks = False
        await here.discord.post(here.general, here.you, f"{here.bot.mention} Are you there?")

        await here.intake.until(lambda: here.intake.texts)
        assert {hello.kind for hello in here.discord.hellos[1:]} == {"resume"}
        assert len(here.intake.texts) == 1
        await here.client.close()
        await running


async def test_a_first_handshake_that_is_refused_is_tried_again(monkeypatch, caplog):
    async with prepared(monkeypatch) as here:
        here.discord.faults.refuse_handshakes(1)
        running = asyncio.create_task(here.client.run_forever(here.discord.token))

        await here.clock.until_sleeping()
        assert here.discord.hellos == []
        await here.clock.advance(4.9)
        assert here.discord.hellos == []
        await here.clock.advance(0.1)

        await here.discord.until(lambda: here.discord.sessions)
        assert "the gateway did not answer" in caplog.text
        await here.client.close()
        await running


async def test_a_login_that_fails_is_tried_again_and_the_log_says_why(monkeypatch, caplog):
    async with prepared(monkeypatch) as here:
        here.discord.faults.add("GET", "/users/@me", times=1, status=503)
        here.discord.faults.add("GET", "/users/@me", times=2, what="reset")  # aiohttp asks twice
        running = asyncio.create_task(here.client.run_forever(here.discord.token))

        await here.clock.until_sleeping()
        await here.clock.advance(5)
        await here.clock.until_sleeping()
        await here.clock.advance(10)

        await here.discord.until(lambda: here.discord.sessions)
        assert isinstance(here.client.http.connector, NewestFirst)  # tests/llm has what that means
        assert "can't be reached (HTTP 503, code 0); trying again in 5 s" in caplog.text
        assert "can't be reached (the connection was cut); trying again in 10 s" in caplog.text
        await here.client.close()
        await running


async def test_it_can_be_stopped_while_it_waits_for_discord(monkeypatch):
    async with prepared(monkeypatch) as here:
        here.discord.faults.add("GET", "/users/@me", times=100, status=503)
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        await here.clock.until_sleeping()

        await here.client.close()

        async with asyncio.timeout(10):
            await running


@pytest.mark.parametrize("when", ["before the login", "after the login", "while connected"])
async def test_a_token_that_is_refused_ends_it_with_a_cure(monkeypatch, when):
    async with prepared(monkeypatch) as here:
        token = here.discord.token
        if when == "before the login":
            here.discord.token = "another.token"
        if when == "after the login":
            here.client.setup_hook = lambda: _renew_token(here)
        running = asyncio.create_task(here.client.run_forever(token))
        if when == "while connected":
            await here.discord.until(lambda: here.discord.sessions)
            here.discord.token = "another.token"
            here.discord.faults.cut_gateway()

        with pytest.raises(StartupRefused, match=r"DISCORD_TOKEN is refused.*Reset Token"):
            await asyncio.wait_for(running, 10)


async def _renew_token(here: Connected) -> None:
    here.discord.token = "another.token"


async def test_an_intent_that_is_not_granted_ends_it_with_a_cure(monkeypatch):
    async with prepared(monkeypatch, granted=False, message_content=True) as here:
        with pytest.raises(StartupRefused, match=r"Privileged Gateway Intents.*MESSAGE_CONTENT=off"):
            await asyncio.wait_for(here.client.run_forever(here.discord.token), 10)

        assert [hello.outcome for hello in here.discord.hellos] == ["4014"]


async def test_a_connection_that_is_closed_for_good_is_not_tried_again(monkeypatch):
    async with prepared(monkeypatch) as here:
        running = asyncio.create_task(here.client.run_forever(here.discord.token))
        await here.discord.until(lambda: here.discord.sessions)

        here.discord.faults.close_gateway(4012)

        with pytest.raises(StartupRefused, match="4012"):
            await asyncio.wait_for(running, 10)


async def test_what_is_handled_counts_no_further_until_discord_has_told_what_was_missed(here, monkeypatch):
    await here.client.wait_until_ready()
    await _marks_written(here)

    answer = await _resume_held_back(here, monkeypatch)
    before = dict(here.store.marks)
    await here.clock.advance(3 * SECONDS_BETWEEN_MARKS)
    assert here.client.hearing.heard_seconds_ago() is not None
    assert here.store.marks == before

    answer()
    await _marks_written(here)


async def test_after_a_sleep_of_the_machine_nothing_counts_as_handled_that_discord_did_not_tell_of(here):
    await here.client.wait_until_ready()
    await _marks_written(here)
    fell_asleep = here.clock.now()
    here.discord.faults.drop_heartbeat_acks = True  # what is sent from here on reaches nobody
    await here.clock.advance(600)

    await here.until_here()  # what was on its way is received now
    await here.clock.advance(2 * SECONDS_BETWEEN_MARKS)
    assert here.store.marks[EVERYWHERE] <= fell_asleep

    here.discord.faults.drop_heartbeat_acks = False
    await _marks_written(here)


async def test_a_clock_that_is_set_back_leaves_no_mark_in_the_future(here):
    await here.client.wait_until_ready()
    await _marks_written(here)

    here.clock.set_back(timedelta(hours=1))
    await here.clock.advance(2 * SECONDS_BETWEEN_MARKS)

    assert here.store.marks[EVERYWHERE] <= here.clock.now()


async def test_a_server_s_outage_that_is_told_of_late_began_no_later_than_the_connection_was_lost(
    here, monkeypatch
):
    await here.client.wait_until_ready()
    await _marks_written(here)
    lost = here.clock.now()

    answer = await _resume_held_back(here, monkeypatch)
    await here.discord.remove_guild(here.discord.guild, unavailable=True)
    await here.clock.advance(30)
    answer()

    async with asyncio.timeout(10):
        while here.discord.guild.id not in here.store.marks:
            await here.clock.advance(SECONDS_BETWEEN_MARKS)
    assert here.store.marks[here.discord.guild.id] <= lost - MARGIN


async def test_a_server_that_is_left_while_it_is_away_keeps_no_mark_and_holds_no_other(here):
    await here.client.wait_until_ready()
    await here.discord.remove_guild(here.discord.guild, unavailable=True)
    await _marks_written(here)
    away = dict(here.store.marks)

    here.discord.guild.available = True  # or it would not be told of it
    await here.discord.remove_guild(here.discord.guild)
    await _marks_written(here)

    assert here.discord.guild.id in away
    assert list(here.store.marks) == [EVERYWHERE]


async def _resume_held_back(here: Connected, monkeypatch) -> Callable[[], None]:
    """The connection is lost, and another one waits for an answer to its RESUME."""
    resumes, resume = [], gateway_line.GatewayLine._resume
    monkeypatch.setattr(gateway_line.GatewayLine, "_resume", lambda line, content: resumes.append((line, content)))
    here.discord.faults.cut_gateway()
    async with asyncio.timeout(10):
        while not resumes:
            await asyncio.sleep(0)
    return lambda: resume(*resumes[0])


async def _marks_written(here: Connected) -> None:
    before = dict(here.store.marks)
    async with asyncio.timeout(10):
        while here.store.marks == before:
            here.discord.faults.ask_for_heartbeats()
            await here.clock.advance(SECONDS_BETWEEN_MARKS)


# The sessions of a day


async def test_a_day_of_restarts_stays_within_the_sessions_that_discord_allows():
    store, clock = FakeStore(), ManualClock()
    begun = 0

    while clock.monotonic() < A_DAY:
        pace = IdentifyPace(application_id=1, store=store, clock=clock)
        waiting = asyncio.create_task(pace.wait())
        await clock.advance(0)
        if not waiting.done():
            await clock.advance(WINDOW.total_seconds())
        await waiting
        await pace.count()
        begun += 1

    assert begun < 1000


async def test_the_first_sessions_wait_for_nothing_and_those_after_them_do():
    store, clock = FakeStore(), ManualClock()
    pace = IdentifyPace(application_id=1, store=store, clock=clock)

    for _ in range(SESSIONS):
        await pace.wait()
        await pace.count()
    one_more = asyncio.create_task(pace.wait())
    await clock.advance(WINDOW.total_seconds() - 1)
    waited = not one_more.done()
    await clock.advance(1)

    assert waited
    assert one_more.done()


async def test_every_session_is_counted(here):
    here.discord.faults.invalidate_session(resumable=False)
    await here.clock.until_sleeping()
    await here.clock.advance(5)
    await here.discord.until(lambda: len(here.discord.hellos) == 2)

    assert len(here.store.facts[f"identified:{here.discord.application_id}@{here.discord.api_url}"].split()) == 2


async def test_a_conversation_key_is_the_channel(here):
    await here.discord.post(here.general, here.you, "Hello")

    await here.intake.until(lambda: here.intake.taken)
    assert here.intake.taken[0].key == ConversationKey(channel_id=here.general.id)
