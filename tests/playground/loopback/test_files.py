"""Files that come along with messages: by multipart, within Discord's limits, at addresses that expire."""

import io

import aiohttp

from bot.playground.loopback import MessageFlag, Upload


async def test_files_come_by_multipart_and_are_served_until_their_address_expires(
    loopback, rest, clock, general, messages_path
):
    form = aiohttp.FormData()
    form.add_field("payload_json", '{"content": "look", "attachments": [{"id": 0, "filename": "a.txt"}]}')
    form.add_field("files[0]", b"inside", filename="a.txt", content_type="text/plain")

    posted = await rest.request("POST", messages_path, data=form)

    (attachment,) = posted.body["attachments"]
    assert (attachment["filename"], attachment["size"]) == ("a.txt", 6)
    assert (await _fetch(attachment["url"])) == (200, b"inside")
    assert (await _fetch(attachment["url"].replace("hm=", "hm=0")))[0] == 404
    await clock.advance(25 * 3600)
    assert (await _fetch(attachment["url"]))[0] == 404
    again = await rest.get(f"{messages_path}/{posted.body['id']}")
    assert (await _fetch(again.body["attachments"][0]["url"])) == (200, b"inside")


async def test_an_edit_keeps_the_attachments_it_lists(loopback, rest, general, messages_path):
    form = aiohttp.FormData()
    form.add_field("payload_json", '{"content": "look"}')
    for number in range(2):
        form.add_field(f"files[{number}]", b"x", filename=f"{number}.txt")
    posted = await rest.request("POST", messages_path, data=form)
    first, _ = posted.body["attachments"]

    await rest.patch(f"{messages_path}/{posted.body['id']}", {"attachments": [{"id": first["id"]}]})

    assert [str(each.id) for each in loopback.messages(general)[0].attachments] == [first["id"]]


async def test_an_edit_brings_its_own_files_in_the_place_of_those_it_does_not_list(
    loopback, rest, general, messages_path
):
    posted = await rest.request("POST", messages_path, data=_form("answer.md", b"old"))
    path = f"{messages_path}/{posted.body['id']}"

    edited = await rest.request("PATCH", path, data=_form("answer.md", b"new"))

    (attachment,) = edited.body["attachments"]
    assert (await _fetch(attachment["url"])) == (200, b"new")
    assert (await rest.patch(path, {"attachments": []})).body["attachments"] == []


async def test_a_listed_file_that_did_not_come_along_is_refused(rest, messages_path):
    answer = await rest.post(messages_path, {"content": "look", "attachments": [{"id": 0, "filename": "a.txt"}]})

    assert answer.code == 50035
    assert "attachments" in answer.body["errors"]


async def test_a_file_that_is_not_listed_is_not_attached(rest, messages_path):
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", '{"content": "look", "attachments": []}')
    form.add_field("files[0]", b"x", filename="a.txt")

    answer = await rest.request("POST", messages_path, data=form)

    assert answer.body["attachments"] == []


async def test_files_take_the_permission_to_attach_them(loopback, rest, general, messages_path):
    posted = await rest.post(messages_path, {"content": "look"})
    loopback.set_permissions(general, attach_files=False)

    answers = [
        await rest.request("POST", messages_path, data=_form("a.txt", b"x")),
        await rest.request("PATCH", f"{messages_path}/{posted.body['id']}", data=_form("a.txt", b"x")),
    ]

    assert [answer.code for answer in answers] == [50013, 50013]


async def test_a_request_of_more_than_25_mib_is_refused(rest, messages_path):
    answer = await rest.request("POST", messages_path, data=_form("big", bytes(25 * 1024 * 1024)))

    assert answer.status == 413


async def test_too_large_a_file_is_refused(rest, messages_path):
    form = aiohttp.FormData()
    form.add_field("files[0]", io.BytesIO(bytes(10 * 1024 * 1024 + 1)), filename="big")

    answer = await rest.request("POST", messages_path, data=form)

    assert (answer.status, answer.code) == (413, 40005)


async def test_what_people_attach_has_an_address(loopback, rest, general, you, messages_path):
    upload = Upload(filename="voice.ogg", data=b"ogg", content_type="audio/ogg", duration_seconds=1.5)
    message = await loopback.post(general, you, attachments=[upload], flags=MessageFlag.IS_VOICE_MESSAGE)

    answer = await rest.get(f"{messages_path}/{message.id}")

    (attachment,) = answer.body["attachments"]
    assert attachment["duration_secs"] == 1.5
    assert (await _fetch(attachment["url"])) == (200, b"ogg")


def _form(filename, data):
    form = aiohttp.FormData(quote_fields=False)
    listed = f'[{{"id": 0, "filename": "{filename}"}}]'
    form.add_field("payload_json", f'{{"content": "look", "attachments": {listed}}}')
    form.add_field("files[0]", io.BytesIO(data), filename=filename, content_type="text/markdown")
    return form


async def _fetch(url):
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.read()
