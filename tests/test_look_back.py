"""/recall and /export, over real sockets: what people find and take along, and who may."""

import json

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.discord.commands import export, recall
from bot.discord.recalled import NOTHING
from bot.playground.loopback import LoopbackDiscord
from bot.storage.archive import SqlArchive
from tests.model_server import Answer, ModelServer
from tests.openapi import validate_record
from tests.whole_bot import Watched, noting_what_stands


@pytest.fixture
async def stage(tmp_path, monkeypatch):
    stood = noting_what_stands(monkeypatch)
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Watched(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db", stood=stood)


async def asked(stage, text, answer, **how):
    """Ask, and wait until the answer stands."""
    stage.model.script(Answer(text=answer))
    reply = await stage.ask(text, **how)
    await stage.stood.acquire()
    return reply


async def asked_in_private(stage, text, answer, **how):
    stage.model.script(Answer(text=answer))
    await stage.chat(text, private=True, **how)
    await stage.stood.acquire()


def the_file(message):
    (attachment,) = message.attachments
    upload = attachment.upload
    return upload.filename, upload.content_type, upload.data.decode()


# /recall


async def test_what_was_said_is_found_with_links_that_lead_there(stage, database_url):
    stage.database_url = database_url
    async with stage.bot():
        reply = await asked(stage, "What is a Zebra?", "A striped horse.")
        await asked(stage, "Hello", "Hello, Ada.", author=stage.ada)
        question = next(
            each for each in stage.discord.messages(stage.general) if each.content == "What is a Zebra?"
        )
        of_you = (await stage.called("recall", query="zebra")).content
        of_me = (await stage.called("recall", query="STRIPED", by=stage.ada)).content

    link = f"https://discord.com/channels/{stage.discord.guild.id}/{stage.general.id}"
    assert of_you.endswith(f":d> You: What is a **Zebra**? {link}/{question.id}")
    assert of_me.endswith(f":d> {stage.discord.bot_user.mention}: A **striped** horse. {link}/{reply.id}")
    validate_record(stage.discord.requests)


async def test_a_private_conversation_is_searched_by_its_asker_alone(stage):
    async with stage.bot():
        await asked_in_private(stage, "my secret zebra", "Noted.")
        mine = await stage.called("recall", query="zebra", private=True)
        others = [
            await stage.called("recall", query="zebra"),
            await stage.called("recall", query="zebra", private=True, by=stage.ada),
            await stage.called("recall", query="zebra", private=True, channel=stage.random),
        ]

    assert mine.content.endswith("You: my secret **zebra**")
    assert [each.content for each in others] == [NOTHING] * 3


async def test_what_a_channel_does_not_show_of_a_chat_is_its_authors_alone(stage):
    async with stage.bot():
        stage.model.script(Answer(text="I see."))
        await stage.chat("word " * 70 + "zebra")
        await stage.stood.acquire()
        mine = await stage.called("recall", query="zebra")
        other = await stage.called("recall", query="zebra", by=stage.ada)
        my_file, other_file = await stage.called("export"), await stage.called("export", by=stage.ada)

    assert "**zebra**" in mine.content
    assert other.content == NOTHING
    assert ["zebra" in the_file(each)[2] for each in (my_file, other_file)] == [True, False]


async def test_a_dm_is_searched_too(stage):
    dm = stage.discord.open_dm(stage.you)
    async with stage.bot():
        reply = await asked(stage, "my zebra", "Noted.", channel=dm)
        found = await stage.called("recall", query="zebra", channel=dm)

    assert found.content.endswith(f"https://discord.com/channels/@me/{dm.id}/{reply.replied_to.id}")


async def test_a_deleted_message_is_not_found(stage):
    async with stage.bot():
        reply = await asked(stage, "my zebra", "What zebra?")
        await stage.discord.delete(reply.replied_to)
        await asked(stage, "Hello", "Hello.")  # events come in order
        found = await stage.called("recall", query="zebra")

    assert found.content == NOTHING


@pytest.mark.parametrize("missing", ["read_message_history", "view_channel"])
@pytest.mark.parametrize(("name", "options"), [("recall", {"query": "zebra"}), ("export", {})])
async def test_whoever_may_not_read_what_was_said_gets_nothing_of_it(stage, name, options, missing):
    async with stage.bot():
        await asked(stage, "my zebra", "What zebra?")
        await asked_in_private(stage, "my private zebra", "Noted.", author=stage.ada)
        stage.discord.set_member_permissions(stage.discord.guild, stage.ada, **{missing: False})
        refused = await stage.called(name, by=stage.ada, **options)
        own = await stage.called(name, by=stage.ada, private=True, **options)

    assert refused.content == {"recall": recall.REFUSED, "export": export.REFUSED}[name]
    assert not refused.attachments
    assert "my private" in (own.content if name == "recall" else the_file(own)[2])


@pytest.mark.parametrize(
    "options", [{"name": "recall", "query": "a"}, {"name": "export"}, {"name": "export", "what": "my-data"}]
)
async def test_looking_back_takes_a_turn_of_the_minute(stage, options):
    async with stage.bot(MESSAGES_PER_MINUTE_PER_PERSON="1"):
        await stage.called(**options)
        refused = await stage.called(**options)
        of_another = await stage.called(**options, by=stage.ada)

    assert refused.content.startswith("Please give me a moment")
    assert not of_another.content.startswith("Please give me a moment")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("turns", {"name": "recall", "query": "a"}),
        ("turns", {"name": "export"}),
        ("own_turns", {"name": "export", "what": "my-data"}),
    ],
)
async def test_a_database_that_is_away_is_said_to_be(stage, monkeypatch, method, options):
    async def away(*_args, **_kwargs):
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(SqlArchive, method, away)
    async with stage.bot():
        message = await stage.called(**options)

    assert message.content == DatabaseUnavailable.user_message


# /export


async def test_a_conversation_is_handed_over_as_markdown(stage, database_url):
    stage.database_url = database_url
    async with stage.bot():
        await asked(stage, "What is a Zebra?", "A striped horse.")
        await asked(stage, "And an okapi?", "A striped giraffe.", author=stage.ada)
        message = await stage.called("export")

    name, kind, text = the_file(message)
    assert message.content == "Here is our conversation: 4 messages."
    assert (name, kind) == ("conversation.md", "text/markdown; charset=utf-8")
    assert text.startswith("# #general\n\n4 messages, ")
    assert [line for line in text.splitlines() if line.startswith(">")] == [
        "> What is a Zebra?", "> A striped horse.", "> And an okapi?", "> A striped giraffe.",
    ]  # fmt: skip
    assert [line.split(" · ")[0] for line in text.splitlines() if line.startswith("**")] == [
        "**You**", "**Bot: Confab**", "**Ada**", "**Bot: Confab**",
    ]  # fmt: skip
    validate_record(stage.discord.requests)


async def test_a_private_conversation_is_handed_over_as_json(stage):
    async with stage.bot():
        await asked_in_private(stage, "my secret zebra", "Noted.")
        message = await stage.called("export", private=True, **{"as": "json"})
        nothing = await stage.called("export", private=True, by=stage.ada)

    name, kind, text = the_file(message)
    data = json.loads(text)
    assert (name, kind) == ("conversation.json", "application/json; charset=utf-8")
    assert data["conversation"] == "#general, in private"
    assert [(turn["speaker"], turn["text"]) for turn in data["turns"]] == [
        ("You", "my secret zebra"), ("Confab", "Noted."),
    ]  # fmt: skip
    assert (nothing.content, nothing.attachments) == (export.NO_CONVERSATION, [])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({}, "Here is the end of our conversation: 1 message. "), ({"what": "my-data"}, export.OWN_NEWEST)],
)
async def test_what_is_too_large_is_the_newest_of_it_and_said_to_be(stage, monkeypatch, options, sentence):
    monkeypatch.setattr("bot.core.export.MOST_BYTES", 3_500)
    async with stage.bot():
        await asked(stage, "zebra " * 300, "It is striped.")
        message = await stage.called("export", **options)

    _, _, text = the_file(message)
    assert message.content.startswith(sentence)
    assert "zebra" not in text


async def test_a_person_gets_their_own_data_from_everywhere_and_nobody_elses(stage, database_url):
    stage.database_url = database_url
    async with stage.bot():
        await asked(stage, "my zebra", "What zebra?")
        await asked(stage, "my okapi", "What okapi?", channel=stage.discord.open_dm(stage.you))
        await asked(stage, "my tapir", "What tapir?", author=stage.ada)
        message = await stage.called("export", what="my-data")

    name, kind, text = the_file(message)
    data = json.loads(text)
    assert (message.content, name, kind) == (export.OWN, "my-data.json", "application/json; charset=utf-8")
    assert [each["text"] for each in data["messages"]] == ["my okapi", "my zebra"]
    assert [each["text"] for each in data["answers"]] == ["What okapi?", "What zebra?"]
    assert len(data["model_calls"]) == 2
    assert "tapir" not in text


async def test_whom_the_lists_leave_out_gets_their_own_data_alone(stage):
    async with stage.bot():
        await asked(stage, "my zebra", "What zebra?")
    async with stage.bot(BLOCKED_USERS=str(stage.you.id)):
        own = await stage.called("export", what="my-data")
        others = [await stage.called("export"), await stage.called("recall", query="zebra")]
        nothing = await stage.called("export", what="my-data", by=stage.ada)

    assert "my zebra" in the_file(own)[2]
    assert all("not allowed" in each.content and not each.attachments for each in others)
    assert (nothing.content, nothing.attachments) == (export.NOTHING_OWN, [])
