"""The library that the bot is built on takes the loopback for Discord."""

import discord
import pytest

from bot.playground.loopback import LoopbackDiscord, MessageFlag, Upload
from tests.openapi import validate_object
from tests.playground.loopback.clients import discord_client

NOBODY = discord.AllowedMentions.none()


async def test_it_logs_in_and_knows_its_guilds_and_channels(loopback, client, general):
    assert client.user.id == loopback.bot_user.id
    assert client.application_flags.gateway_message_content_limited
    (guild,) = client.guilds
    assert guild.owner_id == loopback.user("you").id
    assert guild.me.id == client.user.id
    assert guild.get_channel(general.id).name == "general"


async def test_messages_are_heard_as_they_were_said(loopback, client, general, you, ada):
    question = await loopback.post(general, ada, "Why?")
    said = await loopback.post(
        general,
        you,
        f"Because {ada.mention} {general.mention}",
        reply_to=question,
        attachments=[Upload(filename="a.txt", data=b"inside")],
        stickers=["wave"],
    )

    await loopback.until(lambda: len(client.heard) == 2)

    heard = client.heard[1]
    assert (heard.id, heard.author.display_name, heard.type.value) == (said.id, "You", 19)
    assert heard.reference.resolved.content == "Why?"
    assert [user.id for user in heard.mentions] == [ada.id]
    assert heard.channel_mentions[0].id == general.id
    assert await heard.attachments[0].read() == b"inside"
    assert heard.stickers[0].name == "wave"
    assert heard.created_at == said.created_at


async def test_dms_webhooks_bots_and_system_messages_are_what_they_are(loopback, client, general, you):
    robot = loopback.add_user("robot", bot=True)
    await loopback.post(loopback.open_dm(you), you, "in the dm")
    await loopback.post(general, you, "not me", webhook=True)
    await loopback.post(general, robot, "beep")
    await loopback.post(general, you, type=7)
    await loopback.until(lambda: len(client.heard) == 4)

    dm, webhook, bot, system = client.heard
    assert dm.guild is None
    assert isinstance(dm.channel, discord.DMChannel)
    assert webhook.webhook_id
    assert webhook.author.bot
    assert bot.author.bot
    assert system.is_system()


async def test_a_forward_keeps_what_was_said_then(loopback, client, general, you):
    said = await loopback.post(general, you, "then")
    await loopback.post(general, you, forward_of=said)
    await loopback.edit(said, "now")
    await loopback.post(general, you, forward_of=said)
    await loopback.until(lambda: len(client.heard) == 3)

    assert [message.message_snapshots[0].content for message in client.heard[1:]] == ["then", "now"]
    assert client.heard[1].content == ""
    assert client.heard[1].reference.type is discord.MessageReferenceType.forward


async def test_replies_edits_and_deletions_arrive(loopback, client, general, you):
    await loopback.post(general, you, "Hello")
    await loopback.until(lambda: client.heard)

    reply = await client.heard[0].reply("Hi", allowed_mentions=NOBODY, suppress_embeds=True)
    await loopback.until(lambda: len(client.heard) == 2)
    (_, stands) = loopback.messages(general)
    assert client.heard[1].nonce == reply.nonce
    assert stands.mentions_pinged == []
    assert stands.flags == MessageFlag.SUPPRESS_EMBEDS

    await reply.edit(content="Hi there", allowed_mentions=NOBODY, suppress=True)
    await reply.delete()

    await loopback.until(lambda: client.deleted)
    assert client.edited[0].message.content == "Hi there"
    assert client.deleted[0].message_id == reply.id


async def test_an_edit_of_discord_py_unsuppresses_previews_unless_told_otherwise(loopback, client, general):
    channel = client.get_channel(general.id)
    message = await channel.send("https://example.com", suppress_embeds=True)
    (stands,) = loopback.messages(general)

    await message.edit(content="https://example.com/a", allowed_mentions=NOBODY)

    assert not stands.flags & MessageFlag.SUPPRESS_EMBEDS


async def test_the_same_nonce_is_sent_once(loopback, client, general):
    channel = client.get_channel(general.id)

    first = await channel.send("Hello", nonce="abc")
    second = await channel.send("Hello", nonce="abc")

    assert first.id == second.id


async def test_history_is_read_in_pages(loopback, client, general, you):
    posted = [await loopback.post(general, you, str(number)) for number in range(120)]
    channel = client.get_channel(general.id)

    read = [message.content async for message in channel.history(limit=None, after=discord.Object(posted[9].id))]

    assert read == [str(number) for number in range(10, 120)]
    assert sum(request.is_to("GET", "/channels/{channel_id}/messages") for request in loopback.requests) == 2


async def test_bulk_deletions_channels_threads_and_guilds_go(loopback, client, general, you):
    messages = [await loopback.post(general, you, str(number)) for number in range(2)]
    thread = loopback.add_thread(general, "side")
    random = loopback.channel("random")

    await loopback.bulk_delete(messages)
    await loopback.delete_thread(thread)
    await loopback.delete_channel(random)
    await loopback.remove_guild(loopback.guild, unavailable=True)
    await loopback.restore_guild(loopback.guild)
    await loopback.remove_guild(loopback.guild)

    gone = [("thread", thread.id), ("channel", random.id)]
    gone += [("unavailable", loopback.guild.id), ("guild", loopback.guild.id)]
    await loopback.until(lambda: [each for each in client.other if each[0] != "created"] == gone)
    assert client.deleted[0].message_ids == {message.id for message in messages}


async def test_a_command_is_deferred_answered_and_followed_up(loopback, client, general, you):
    tree = discord.app_commands.CommandTree(client)

    @tree.command(name="chat", description="Ask me something")
    async def chat(interaction: discord.Interaction, message: str):
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(content=f"You said {message}", allowed_mentions=NOBODY)
        await interaction.followup.send("More", allowed_mentions=NOBODY, ephemeral=True)

    await tree.sync()
    called = await loopback.slash(general, you, "chat", {"message": "Why?"})

    await loopback.until(lambda: called.followups)
    assert called.original.content == "You said Why?"
    assert called.followups[0].visible_to is you


async def test_a_command_in_a_dm_and_in_a_thread_is_answered(loopback, client, general, you):
    tree = discord.app_commands.CommandTree(client)

    @tree.command(name="where", description="Where are we?")
    async def where(interaction: discord.Interaction):
        await interaction.response.send_message(type(interaction.channel).__name__, allowed_mentions=NOBODY)

    await tree.sync()
    places = [loopback.open_dm(you), loopback.add_thread(general, "side"), general]
    called = [await loopback.slash(place, you, "where") for place in places]

    await loopback.until(lambda: all(each.original for each in called))
    assert [each.original.content for each in called] == ["DMChannel", "Thread", "TextChannel"]


async def test_refusals_are_the_librarys_exceptions(loopback, client, general, you):
    channel = client.get_channel(general.id)
    message = await loopback.post(general, you, "mine")
    loopback.set_permissions(general, send_messages=False)

    with pytest.raises(discord.Forbidden) as forbidden:
        await channel.send("Hello")
    with pytest.raises(discord.HTTPException) as foreign:
        await channel.get_partial_message(message.id).edit(content="yours")
    with pytest.raises(discord.NotFound) as unknown:
        await channel.fetch_message(1)

    assert [each.value.code for each in (forbidden, foreign, unknown)] == [50013, 50005, 10008]


async def test_a_429_is_waited_out(loopback, client, general):
    loopback.faults.add("POST", "/messages$", what="rate_limit", retry_after=0.01)

    await client.get_channel(general.id).send("Hello")

    assert [request.status for request in loopback.requests[-2:]] == [429, 200]


async def test_a_ban_by_cloudflare_is_not_waited_out(loopback, client, general):
    loopback.faults.add("POST", "/messages$", what="html", status=429)

    with pytest.raises(discord.HTTPException):
        await client.get_channel(general.id).send("Hello")


@pytest.mark.parametrize("how", ["close", "reconnect", "cut", "invalidate"])
async def test_a_lost_gateway_is_resumed_and_nothing_is_missed(loopback, client, general, you, how):
    match how:
        case "close":
            loopback.faults.close_gateway(4000)
        case "reconnect":
            loopback.faults.ask_to_reconnect()
        case "cut":
            loopback.faults.cut_gateway()
        case "invalidate":
            loopback.faults.invalidate_session(resumable=True)
    await loopback.until(lambda: client.resumed)
    await loopback.post(general, you, "Hello")

    await loopback.until(lambda: client.heard)
    assert [hello.kind for hello in loopback.hellos] == ["identify", "resume"]


async def test_what_was_said_while_the_gateway_was_away_is_replayed(loopback, client, general, you):
    loopback.faults.cut_gateway()
    await loopback.until(lambda: not loopback.sessions)
    await loopback.post(general, you, "meanwhile")

    await loopback.until(lambda: client.heard)

    assert client.heard[0].content == "meanwhile"
    assert client.resumed


async def test_a_wrong_token_is_a_login_failure(loopback, monkeypatch):
    loopback.token, wrong = "right", loopback.token
    monkeypatch.setattr(discord.http.Route, "BASE", loopback.api_url)
    client = discord.Client(intents=discord.Intents.none())

    with pytest.raises(discord.LoginFailure):
        await client.login(wrong)

    await client.close()


async def test_an_intent_that_is_not_granted_is_said_so(clock, monkeypatch):
    async with (
        LoopbackDiscord(clock=clock, message_content_granted=False) as loopback,
        discord_client(loopback, monkeypatch) as client,
    ):
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await client.connecting


async def test_typing_shows_until_the_message_comes_or_ten_seconds_pass(loopback, client, clock, general):
    channel = client.get_channel(general.id)

    await channel.typing()
    assert loopback.is_typing(general)
    await channel.send("Hello")
    assert not loopback.is_typing(general)
    await channel.typing()
    await clock.advance(10)

    assert not loopback.is_typing(general)


async def test_events_carry_messages_as_discord_describes_them(
    loopback, gateway, rest, general, you, messages_path
):
    await gateway.identify()
    question = await loopback.post(general, you, "Why?", attachments=[Upload(filename="a", data=b"x")])
    await rest.post(messages_path, {"content": "x", "message_reference": {"message_id": str(question.id)}})
    await loopback.post(general, you, forward_of=question)
    await gateway.event("MESSAGE_CREATE", number=3)

    for event in gateway.events("MESSAGE_CREATE"):
        validate_object("MessageResponse", event)
