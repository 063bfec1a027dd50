"""/chat and /reset as people call them, and their registration."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import discord
import pytest

from bot.core.errors import BotError, DatabaseUnavailable, ShuttingDown
from bot.core.messages import ConversationKey, Kind, snowflake_time
from bot.core.usage import FOR_MANAGERS, IN_SERVERS, Used
from bot.discord.commands import UNKNOWN_COMMAND
from bot.discord.commands.reset import DONE, REFUSED
from bot.discord.registration import payload_hash, register_commands
from bot.discord.responses import FOLLOWS_BELOW
from bot.playground.loopback.commands import MESSAGE
from tests.discord.connected import Connected, connected
from tests.fakes import FakeStore
from tests.openapi import validate_record

FOURTEEN_MINUTES = 14 * 60


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connected]:
    async with connected(monkeypatch) as here:
        yield here


async def chat(here: Connected, text: str = "Why is the sky blue?", *, channel=None):
    called = await here.discord.slash(channel or here.general, here.you, "chat", {"message": text})
    await here.discord.until(lambda: called.acknowledged)
    return called


# /chat


async def test_a_chat_reaches_the_intake_with_what_its_answer_takes(here):
    called = await chat(here, f"Does {here.random.mention} exist?")

    (asked,) = here.intake.taken
    assert asked.message_id == called.id
    assert asked.kind is Kind.SLASH
    assert asked.key == ConversationKey(channel_id=here.general.id)
    assert (asked.guild_id, asked.parent_id) == (here.discord.guild.id, None)
    assert (asked.author_id, asked.author_name) == (here.you.id, "You")
    assert asked.text == "Does #random exist?"
    assert asked.raw_text == f"Does {here.random.mention} exist?"
    assert (asked.interaction.id, asked.interaction.token) == (called.id, called.token)
    assert asked.interaction.expires_at == snowflake_time(called.id) + timedelta(minutes=15)


async def test_a_chat_in_a_thread_belongs_to_the_thread(here):
    thread = here.discord.add_thread(here.general, "ideas")

    await chat(here, channel=thread)

    assert here.intake.taken[0].key == ConversationKey(channel_id=thread.id)
    assert here.intake.taken[0].parent_id == here.general.id


async def test_a_chat_in_a_dm_belongs_to_no_guild(here):
    await chat(here, channel=here.discord.open_dm(here.you))

    assert here.intake.taken[0].guild_id is None


async def test_a_chat_is_acknowledged_while_the_database_is_busy(here):
    here.intake.stored = asyncio.Event()

    called = await chat(here)

    assert called.thinking
    assert len(here.intake.taken) == 1
    here.intake.stored.set()


async def test_a_chat_is_stored_while_discord_is_slow_to_take_the_acknowledgement(here):
    slow = here.discord.faults.add("POST", "/callback", what="hang")

    called = await here.discord.slash(here.general, here.you, "chat", {"message": "Hello"})

    await here.intake.until(lambda: here.intake.taken)
    assert not called.acknowledged
    slow.release()
    await here.discord.until(lambda: called.acknowledged)


async def test_a_chat_whose_acknowledgement_fails_is_taken_on_all_the_same(here, caplog):
    here.discord.faults.add("POST", "/callback", status=404, code=10062)

    with caplog.at_level(logging.WARNING):
        await here.discord.slash(here.general, here.you, "chat", {"message": "Hello"})
        await here.intake.until(lambda: here.intake.taken)
        await here.discord.until(lambda: here.discord.requests[-1].status == 404)
        await here.until_here()

    assert here.intake.texts == ["Hello"]
    assert "was not acknowledged: HTTP 404, code 10062" in caplog.text


async def test_at_fourteen_minutes_a_chat_without_text_says_where_its_answer_will_be(here):
    called = await chat(here)
    await here.clock.until_sleeping(2)  # the loopback's own watch over three seconds is the other

    await here.clock.advance(FOURTEEN_MINUTES - 1)
    assert called.thinking
    await here.clock.advance(1)

    await here.discord.until(lambda: called.original)
    assert called.original.content == FOLLOWS_BELOW


async def test_at_fourteen_minutes_a_chat_that_was_answered_keeps_its_answer(here):
    called = await chat(here)
    await here.outbox.edit_original(here.intake.taken[0].interaction, "The sky is blue.")

    await here.clock.advance(FOURTEEN_MINUTES)
    await here.until_here()

    assert called.original.versions[-1] == "The sky is blue."


async def test_a_chat_while_the_bot_is_being_stopped_is_told_so(here):
    here.intake.closed = True

    called = await chat(here)

    assert called.original.content == ShuttingDown.user_message
    assert called.ephemeral
    assert here.intake.taken == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (DatabaseUnavailable("gone"), DatabaseUnavailable.user_message),
        (ValueError("my secret diary"), BotError.user_message),
    ],
)
async def test_a_command_that_fails_says_so_in_a_plain_sentence(here, fault, sentence):
    here.intake.fault = fault

    called = await chat(here)

    await here.discord.until(lambda: called.original)
    assert called.original.content == sentence


async def test_a_command_that_we_no_longer_have_says_so(here):
    here.client.tree.remove_command("chat")

    called = await chat(here)

    assert called.original.content == UNKNOWN_COMMAND
    assert called.ephemeral


# /reset


async def test_whoever_may_manage_messages_can_reset_the_conversation(here):
    here.discord.set_member_permissions(here.discord.guild, here.ada, manage_messages=True)

    called = await here.discord.slash(here.general, here.ada, "reset")

    await here.discord.until(lambda: called.original)
    assert called.original.content == DONE
    assert not called.ephemeral
    assert here.intake.happened == [("reset", ConversationKey(channel_id=here.general.id))]


async def test_nobody_else_can_and_they_are_told_privately(here):
    called = await here.discord.slash(here.general, here.ada, "reset")

    await here.discord.until(lambda: called.original)
    assert called.original.content == REFUSED
    assert called.ephemeral
    assert here.intake.happened == []


async def test_anybody_can_reset_their_own_dm(here):
    dm = here.discord.open_dm(here.ada)

    called = await here.discord.slash(dm, here.ada, "reset")

    await here.discord.until(lambda: called.original)
    assert called.original.content == DONE
    assert here.intake.happened == [("reset", ConversationKey(channel_id=dm.id))]


async def test_a_reset_that_could_not_be_stored_does_not_claim_to_be_done(here):
    here.intake.fault = DatabaseUnavailable("gone")

    called = await here.discord.slash(here.general, here.you, "reset")

    await here.discord.until(lambda: called.original)
    assert called.original.content == DatabaseUnavailable.user_message


# /usage


async def usage(here: Connected, *, channel=None, **options):
    called = await here.discord.slash(channel or here.general, here.ada, "usage", options)
    await here.discord.until(lambda: called.original)
    assert called.ephemeral
    return called.original.content


async def test_anybody_reads_what_they_used_themselves_and_nobody_else_does(here):
    here.store.used = [Used(requests=2, answers=2, input_tokens=30, output_tokens=5, cost_nanodollars=10**9)]

    said = await usage(here)

    asked = {(by, guild_id, person) for by, _, guild_id, person in here.store.asked_usage}
    assert asked == {(None, None, here.ada.id)}
    midnight = here.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert [since for _, since, *_ in here.store.asked_usage] == [midnight, midnight.replace(day=1)]
    assert "This month: 2 answers, 30 tokens read, 5 written, $1.00" in said


@pytest.mark.parametrize("by", ["person", "channel", "model", "day"])
async def test_who_may_manage_the_server_reads_what_that_server_used(here, by):
    here.discord.set_member_permissions(here.discord.guild, here.ada, manage_guild=True)

    said = await usage(here, by=by)

    assert [(each, guild_id, person) for each, _, guild_id, person in here.store.asked_usage] == [
        (by, here.discord.guild.id, None)
    ]
    assert f"this month, by {by}" in said


async def test_who_may_not_manage_the_server_is_told_so(here):
    here.discord.set_member_permissions(here.discord.guild, here.ada, manage_messages=True)

    assert await usage(here, by="person") == FOR_MANAGERS
    assert here.store.asked_usage == []


async def test_in_a_dm_there_is_no_server_to_ask_about(here):
    assert await usage(here, channel=here.discord.open_dm(here.ada), by="person") == IN_SERVERS
    assert here.store.asked_usage == []


# Registration


def registrations(here: Connected) -> int:
    return sum(request.method == "PUT" and request.path.endswith("/commands") for request in here.discord.requests)


async def register(here: Connected) -> None:
    await register_commands(
        here.client.tree, application_id=here.discord.application_id, store=here.store, clock=here.clock
    )


async def test_the_commands_are_for_servers_and_dms_of_servers_that_invited_the_bot(here):
    commands = {command["name"]: command for command in here.discord.commands}

    menu = {name for name, command in commands.items() if command["type"] == MESSAGE}
    assert menu == {"Why this answer?"}
    assert set(commands) - menu == {
        "chat", "reset", "history", "recall", "export", "privacy", "forget-me", "usage",
    }  # fmt: skip
    assert all(command["contexts"] == [0, 1] for command in commands.values())
    assert all(command["integration_types"] == [0] for command in commands.values())
    message, private = commands["chat"]["options"]
    assert (message["name"], message["type"], message["required"]) == ("message", 3, True)
    assert (message["min_length"], message["max_length"]) == (1, 6000)
    assert (private["name"], private["type"], private["required"]) == ("private", 5, False)
    validate_record(here.discord.requests)


async def test_unchanged_commands_are_registered_once(here):
    fact = f"commands:{here.discord.application_id}@{here.discord.api_url}"
    await here.discord.until(lambda: here.discord.commands)
    while fact not in here.store.facts:
        await asyncio.sleep(0)

    await register(here)

    assert registrations(here) == 1


async def test_changed_commands_are_registered_again(here):
    await register(here)
    before = registrations(here)
    here.client.tree.remove_command("reset")

    await register(here)

    assert registrations(here) == before + 1
    assert "reset" not in {command["name"] for command in here.discord.commands}


async def test_the_order_of_the_commands_is_no_change(here):
    tree = here.client.tree
    before = payload_hash(tree)

    tree.add_command(tree.remove_command("chat"))

    assert tree.get_commands(type=discord.AppCommandType.chat_input)[-1].name == "chat"
    assert payload_hash(tree) == before


async def test_a_registration_that_fails_is_logged_and_tried_again_at_the_next_start(here, caplog):
    await register(here)
    here.client.tree.remove_command("reset")
    here.discord.faults.add("PUT", "/commands", status=403, code=50001)

    with caplog.at_level(logging.WARNING):
        await register(here)
    assert "the commands were not registered: HTTP 403, code 50001" in caplog.text
    await register(here)

    assert "reset" not in {command["name"] for command in here.discord.commands}


class StoreAway(FakeStore):
    async def read_fact(self, name: str) -> str | None:
        raise DatabaseUnavailable("gone")


async def test_a_database_that_is_away_does_not_stop_the_start(here, caplog):
    here.store = StoreAway()

    with caplog.at_level(logging.WARNING):
        await register(here)

    assert "the commands' registration is not known" in caplog.text
