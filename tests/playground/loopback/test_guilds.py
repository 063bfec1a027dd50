"""What the bot can ask about a server that it is in."""

import pytest


async def test_a_guild_its_channels_and_the_bot_in_it_can_be_asked_for(loopback, rest, general):
    loopback.set_permissions(general, view_channel=False)
    loopback.add_thread(loopback.channel("random"), "side")
    path = f"/guilds/{loopback.guild.id}"

    guild = (await rest.get(path)).body
    channels = (await rest.get(f"{path}/channels")).body
    member = (await rest.get(f"{path}/members/{loopback.bot_user.id}")).body

    assert [role["name"] for role in guild["roles"]] == ["@everyone"]
    assert [(channel["name"], len(channel["permission_overwrites"])) for channel in channels] == [
        ("general", 1),
        ("random", 0),
    ]
    assert member["user"]["id"] == str(loopback.bot_user.id)


@pytest.mark.parametrize("path", ["", "/channels", "/members/1"])
async def test_a_guild_that_was_left_is_unknown(loopback, rest, path):
    await loopback.remove_guild(loopback.guild)

    assert (await rest.get(f"/guilds/{loopback.guild.id}{path}")).code == 10004


async def test_somebody_who_is_not_a_member_is_unknown(loopback, rest):
    assert (await rest.get(f"/guilds/{loopback.guild.id}/members/1")).code == 10013
