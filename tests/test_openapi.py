"""The check against Discord's description finds what is wrong."""

import pytest

from bot.playground.loopback import RecordedRequest
from tests.openapi import described, validate_object, validate_record

pytestmark = described
MESSAGES = "/channels/{channel_id}/messages"


def request(**what):
    known = {"method": "POST", "path": "/x", "route": MESSAGES, "query": {}, "sent_at": 0.0, "status": 200}
    return RecordedRequest(**(known | what))


def test_a_proper_body_is_held():
    assert validate_record([request(body={"content": "Hello"})]) == 1


def test_ids_may_be_numbers_in_requests_as_the_library_sends_them():
    assert validate_record([request(body={"content": "Hello", "message_reference": {"message_id": 5}})]) == 1


@pytest.mark.parametrize(
    "body", [{"content": 5}, {"content": "x" * 4001}, {"allowed_mentions": {"parse": ["nobody"]}}, []]
)
def test_a_wrong_body_is_found(body):
    with pytest.raises(AssertionError, match="request of POST"):
        validate_record([request(body=body)])


@pytest.mark.parametrize("answer", [{"id": "1"}, {"content": "Hello"}])
def test_a_wrong_answer_is_found(answer):
    with pytest.raises(AssertionError, match="answer of POST"):
        validate_record([request(answer=answer)])


def test_a_wrong_refusal_is_found():
    validate_record([request(status=404, answer={"message": "Unknown Channel", "code": 10003})])

    with pytest.raises(AssertionError, match="answer of POST"):
        validate_record([request(status=404, answer={"message": "Unknown Channel"})])


def test_a_route_or_status_that_discord_does_not_have_is_found():
    with pytest.raises(AssertionError, match="Discord has no"):
        validate_record([request(route="/messages")])
    with pytest.raises(AssertionError, match="never answers 201"):
        validate_record([request(status=201, answer={})])


def test_a_body_where_none_is_taken_is_found():
    with pytest.raises(AssertionError, match="takes no body"):
        validate_record([request(route="/channels/{channel_id}/typing", body={})])


def test_what_the_loopback_refused_as_malformed_is_left_out():
    refused = {"message": "Invalid Form Body", "code": 50035}

    assert validate_record([request(body={"content": 5}, status=400, answer=refused)]) == 1


def test_a_single_object_can_be_held():
    with pytest.raises(AssertionError, match="UserResponse"):
        validate_object("UserResponse", {"id": "1"})
