"""A very long answer: its beginning in the channel, the whole as a file, once, whatever goes wrong."""

import asyncio
from dataclasses import replace

import pytest

from bot.core.messages import Outcome
from bot.core.wording import question_head, shown_answer
from bot.discord.draft_pace import SECONDS_BETWEEN_EDITS
from bot.discord.layout import GOES_ON, IN_FILE, in_parts
from bot.playground.loopback import MessageFlag
from tests.openapi import validate_record

VERY_LONG = " ".join(f"Sentence number {n} says something." for n in range(300))  # six parts
SHOWN = 4  # of them
CREATE, EDIT = ("POST", "/messages"), ("PATCH", "/messages/{message_id}")
MESSAGES, ONE_MESSAGE = r"/channels/\d+/messages$", r"/channels/\d+/messages/\d+$"


def files(stage):
    """What is attached to the bot's messages: one list for each of them."""
    return [
        [(each.upload.filename, each.upload.data.decode()) for each in message.attachments]
        for message in stage.discord.messages(stage.channel, seen_by=stage.you)
        if message.author is stage.discord.bot_user
    ]


def with_file(request):
    return bool(request.files)


async def permissions_heard(stage, **wanted):
    """Wait until the client knows what the bot may do."""
    channel = stage.client.get_channel(stage.channel.id)
    async with asyncio.timeout(10):
        while any(getattr(channel.permissions_for(channel.guild.me), name) != may for name, may in wanted.items()):
            await asyncio.sleep(0)


async def finished(stage, taken, shown=VERY_LONG):
    reply = stage.replies.open(taken)
    await reply.finish(shown)
    await reply.close()


async def drafts_up_to_the_bound(stage, taken):
    """A reply of which all has been shown that is shown while it is written."""
    reply = stage.replies.open(taken)
    reply.show(VERY_LONG)
    await stage.posted(taken)
    for n in range(1, SHOWN):
        await stage.clock.advance(SECONDS_BETWEEN_EDITS)
        await stage.posted(taken, n)
    return reply


async def test_a_very_long_answer_shows_its_beginning_and_brings_the_whole_as_a_file(stage):
    await finished(stage, await stage.asked())

    assert len(stage.said()) == SHOWN
    assert stage.said()[-1].endswith(IN_FILE)
    assert files(stage) == [[], [], [], [("answer.md", VERY_LONG)]]
    assert len(stage.asked_of_discord(*CREATE)) == SHOWN
    assert stage.asked_of_discord(*EDIT) == []
    assert stage.pacer.counts["POST", "/channels/{id}/messages", 200] == SHOWN


async def test_a_message_with_a_file_pings_nobody_and_unfurls_nothing(stage):
    await finished(stage, await stage.asked(), f"@everyone {VERY_LONG}")

    request = next(each for each in stage.discord.requests if with_file(each))
    assert request.body["allowed_mentions"] == {"parse": [], "replied_user": False}
    last = stage.discord.messages(stage.channel)[-1]
    assert last.flags & MessageFlag.SUPPRESS_EMBEDS
    assert validate_record(stage.discord.requests) >= SHOWN


async def test_a_draft_stops_growing_and_its_file_comes_with_the_last_edit(stage):
    taken = await stage.asked()
    reply = await drafts_up_to_the_bound(stage, taken)
    reply.show(f"{VERY_LONG} And more.")
    await stage.settle()
    assert stage.said()[-1].endswith(GOES_ON)
    assert files(stage) == [[], [], [], []]

    await reply.finish(f"{VERY_LONG} And more. The end.")
    await reply.close()

    assert stage.said()[-1].endswith(IN_FILE)
    assert files(stage) == [[], [], [], [("answer.md", f"{VERY_LONG} And more. The end.")]]
    assert (len(stage.asked_of_discord(*CREATE)), len(stage.asked_of_discord(*EDIT))) == (SHOWN, 1)


async def test_a_file_that_was_posted_before_a_crash_is_not_posted_again(stage):
    taken = await stage.asked()
    await finished(stage, taken)
    parts = dict(stage.store.parts[taken.answer_id])
    parts[SHOWN - 1] = replace(parts[SHOWN - 1], message_id=None)  # killed before Discord's answer was stored

    await finished(stage, replace(taken, attempt=2, parts=tuple(parts.values())))

    assert files(stage) == [[], [], [], [("answer.md", VERY_LONG)]]
    assert len(stage.said()) == SHOWN


async def test_a_file_that_is_brought_again_takes_the_place_of_the_old_one(stage):
    taken = await stage.asked()
    await finished(stage, taken)
    parts = tuple(stage.store.parts[taken.answer_id].values())

    await finished(stage, replace(taken, attempt=2, parts=parts))
    assert files(stage) == [[], [], [], [("answer.md", VERY_LONG)]]
    assert len([each for each in stage.discord.requests if with_file(each)]) == 2
    await finished(stage, replace(taken, attempt=3, parts=parts), VERY_LONG[:7000])

    assert files(stage) == [[], [], [], []]
    assert IN_FILE not in stage.said()[-1]


async def test_where_the_bot_may_attach_no_files_all_is_posted(stage):
    stage.discord.set_permissions(stage.channel, attach_files=False)
    await permissions_heard(stage, attach_files=False)
    taken = await stage.asked()
    reply = await drafts_up_to_the_bound(stage, taken)
    assert not stage.said()[-1].endswith(GOES_ON)

    await reply.finish(VERY_LONG)
    await reply.close()

    assert stage.said() == [content.text for content in in_parts(VERY_LONG)]
    assert not any(map(with_file, stage.discord.requests))


@pytest.mark.parametrize(("status", "code"), [(403, 50013), (413, 40005), (413, 0)])
async def test_when_discord_refuses_the_file_all_is_posted(stage, status, code):
    stage.discord.faults.add("POST", MESSAGES, status=status, code=code, matches=with_file)

    await finished(stage, await stage.asked())

    assert stage.said() == [content.text for content in in_parts(VERY_LONG)]
    assert files(stage) == [[]] * 6


async def test_when_discord_refuses_the_file_of_an_edit_all_is_posted(stage):
    reply = await drafts_up_to_the_bound(stage, await stage.asked())
    stage.discord.faults.add("PATCH", ONE_MESSAGE, status=403, code=50013, matches=with_file)

    await reply.finish(VERY_LONG)
    await reply.close()

    assert stage.said() == [content.text for content in in_parts(VERY_LONG)]


async def test_a_cut_off_answer_says_so_below_its_beginning(stage):
    taken = await stage.asked()

    await finished(stage, taken, shown_answer(taken, VERY_LONG, Outcome.LENGTH))

    *_, last_but_one, last = stage.said()[-1].splitlines()
    assert last_but_one == IN_FILE.strip()
    assert last.startswith("-# That's as much as I can write at once.")


async def test_a_very_long_chat_answer_is_below_its_question_and_its_file_is_the_answer_alone(stage):
    taken = await stage.chatted()

    await finished(stage, taken, f"{question_head(taken)}{VERY_LONG}")

    (called,) = stage.discord.interactions
    assert called.original.content.startswith(question_head(taken))
    assert files(stage) == [[], [], [], [("answer.md", VERY_LONG)]]


async def test_where_the_bot_may_not_write_the_file_comes_in_a_follow_up(stage):
    stage.discord.set_permissions(stage.channel, send_messages=False)
    await permissions_heard(stage, send_messages=False)

    await finished(stage, await stage.chatted())

    assert len(stage.discord.interactions[0].followups) == SHOWN - 1
    assert files(stage) == [[], [], [], [("answer.md", VERY_LONG)]]


async def test_a_private_answer_has_its_file_where_only_the_asker_sees_it(stage):
    stage.discord.set_permissions(stage.channel, attach_files=False)
    await permissions_heard(stage, attach_files=False)
    taken = await stage.chatted(private=True)

    await finished(stage, taken)
    parts = tuple(stage.store.parts[taken.answer_id].values())
    await finished(stage, replace(taken, attempt=2, parts=parts))  # edits the follow-ups

    assert [each.is_ephemeral for each in stage.discord.interactions[0].followups] == [True] * (SHOWN - 1)
    assert files(stage) == [[], [], [], [("answer.md", VERY_LONG)]]
