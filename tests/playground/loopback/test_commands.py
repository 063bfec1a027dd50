"""Registering commands, and what a person's client lets them enter."""

import pytest

RESET = {"name": "reset", "description": "Start anew", "default_member_permissions": 1 << 13}
ASK = {
    "name": "ask",
    "description": "Ask",
    "options": [
        {"name": "what", "type": 3, "description": "it", "required": True, "min_length": 2, "max_length": 5},
        {"name": "times", "type": 4, "description": "how often"},
        {
            "name": "tone",
            "type": 3,
            "description": "how",
            "choices": [{"name": "Kind", "value": "kind"}, {"name": "Stern", "value": "stern"}],
        },
    ],
}
WHY = {"name": "Why this?", "type": 3}
SETTINGS = {
    "name": "settings",
    "description": "Settings",
    "options": [
        {
            "name": "show",
            "type": 1,
            "description": "show",
            "options": [{"name": "all", "type": 5, "description": "all"}],
        }
    ],
}


@pytest.fixture
def path(loopback):
    return f"/applications/{loopback.application_id}/commands"


async def test_all_commands_are_replaced_at_once(loopback, rest, path):
    first = await rest.put(path, [ASK, RESET])
    second = await rest.put(path, [RESET])

    assert [command["name"] for command in first.body] == ["ask", "reset"]
    assert [command["name"] for command in loopback.commands] == ["reset"]
    assert second.body[0]["id"] == first.body[1]["id"]
    assert second.body[0]["default_member_permissions"] == str(1 << 13)
    assert (await rest.get(path)).body == second.body


async def test_one_command_is_added_changed_and_deleted(loopback, rest, path):
    added = await rest.post(path, ASK)
    changed = await rest.post(path, {**ASK, "description": "Ask me"})

    assert (added.status, changed.status) == (201, 200)
    assert changed.body["id"] == added.body["id"]
    assert loopback.commands[0]["description"] == "Ask me"
    assert (await rest.delete(f"{path}/{added.body['id']}")).status == 204
    assert (await rest.delete(f"{path}/{added.body['id']}")).code == 10063
    assert loopback.commands == []


@pytest.mark.parametrize(
    "body",
    [
        {**RESET, "name": "Reset"},
        {**RESET, "name": "re set"},
        {**RESET, "name": ""},
        {**RESET, "description": ""},
        {**RESET, "description": "x" * 101},
        {**RESET, "options": [{"name": f"o{n}", "type": 3, "description": "x"} for n in range(26)]},
        {**WHY, "name": ""},
        {**WHY, "name": "x" * 33},
        {**WHY, "description": "What it does"},
        {**WHY, "options": ASK["options"]},
    ],
)
async def test_a_malformed_command_is_refused(loopback, rest, path, body):
    assert (await rest.put(path, [body])).code == 50035
    assert loopback.commands == []


async def test_names_are_unique_and_commands_at_most_100(rest, path):
    assert (await rest.put(path, [RESET, RESET])).code == 50035
    assert (await rest.put(path, [{**RESET, "name": f"c{number}"} for number in range(101)])).code == 30034


async def test_a_command_in_menus_may_share_its_name_with_another_and_there_are_at_most_15(loopback, rest, path):
    both = [{**RESET, "name": "why"}, {**WHY, "name": "why"}]

    assert (await rest.put(path, [*both, WHY])).status == 200
    assert [(command["name"], command["type"]) for command in loopback.commands] == [
        ("why", 1), ("why", 3), ("Why this?", 3),
    ]  # fmt: skip
    assert (await rest.put(path, [{**WHY, "name": f"c{number}"} for number in range(16)])).code == 30034


async def test_a_command_in_menus_is_no_slash_command_nor_the_other_way(loopback, rest, path, general, you):
    await rest.put(path, [RESET, WHY])
    message = await loopback.post(general, you, "Hello")

    with pytest.raises(LookupError):
        await loopback.slash(general, you, "Why this?")
    with pytest.raises(LookupError):
        await loopback.choose(message, you, "reset")
    assert (await loopback.choose(message, you, "Why this?")).target is message


async def test_another_applications_commands_are_not_ours(rest):
    assert (await rest.put("/applications/1/commands", [RESET])).code == 20012


async def test_a_guilds_command_is_offered_there_alone(loopback, rest, general, you):
    other = loopback.add_guild("Elsewhere")
    channel = loopback.add_channel(other, "lobby")
    await rest.put(f"/applications/{loopback.application_id}/guilds/{other.id}/commands", [RESET])

    assert (await loopback.slash(channel, you, "reset")).command == "reset"
    with pytest.raises(LookupError):
        await loopback.slash(general, you, "reset")


async def test_an_unregistered_command_cannot_be_called(loopback, general, you):
    with pytest.raises(LookupError, match="not registered"):
        await loopback.slash(general, you, "chat", {"message": "Why?"})


async def test_who_lacks_the_permission_is_not_offered_the_command(loopback, rest, path, general, you, ada):
    await rest.put(path, [RESET])

    await loopback.slash(general, you, "reset")
    with pytest.raises(PermissionError):
        await loopback.slash(general, ada, "reset")
    loopback.set_member_permissions(loopback.guild, ada, manage_messages=True)
    await loopback.slash(general, ada, "reset")
    await loopback.slash(loopback.open_dm(ada), ada, "reset")


async def test_permissions_and_contexts_are_those_of_commands_in_menus_too(
    loopback, rest, path, general, you, ada
):
    await rest.put(path, [{**WHY, "default_member_permissions": 1 << 13, "contexts": [0]}])
    here = await loopback.post(general, you, "Hello")
    alone = await loopback.post(loopback.open_dm(you), you, "Hello")

    await loopback.choose(here, you, "Why this?")
    with pytest.raises(PermissionError):
        await loopback.choose(here, ada, "Why this?")
    with pytest.raises(PermissionError):
        await loopback.choose(alone, you, "Why this?")


async def test_contexts_say_where_a_command_is_offered(loopback, rest, path, general, you):
    await rest.put(path, [{"name": "here", "description": "x", "contexts": [0]}])

    await loopback.slash(general, you, "here")
    with pytest.raises(PermissionError):
        await loopback.slash(loopback.open_dm(you), you, "here")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"what": "x"},
        {"what": "xxxxxx"},
        {"what": 12},
        {"what": "fine", "times": "two"},
        {"what": "fine", "tone": "rude"},
        {"what": "fine", "other": 1},
    ],
)
async def test_wrong_options_cannot_be_entered(loopback, rest, path, general, you, options):
    await rest.put(path, [ASK])

    with pytest.raises(ValueError, match=r"ask|what|times|tone"):
        await loopback.slash(general, you, "ask", options)


async def test_subcommands_are_called_by_their_whole_name(loopback, rest, gateway, path, general, you):
    await gateway.identify()
    await rest.put(path, [SETTINGS])

    await loopback.slash(general, you, "settings show", {"all": True})

    data = (await gateway.event("INTERACTION_CREATE"))["data"]
    assert data["options"] == [{"name": "show", "type": 1, "options": [{"name": "all", "type": 5, "value": True}]}]
    with pytest.raises(ValueError, match="subcommand"):
        await loopback.slash(general, you, "settings")
    with pytest.raises(ValueError, match="subcommand"):
        await loopback.slash(general, you, "settings hide")
