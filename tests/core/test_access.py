"""Whom the bot answers, and where."""

import pytest

from bot.core.access import AccessRules, Asker, Location, OnceAnHour
from bot.core.errors import DirectMessagesOff, PersonRefused, PlaceRefused
from tests.fakes import FakeClock

ADA, BEN, MODS, GUESTS = 1, 2, 11, 12
GENERAL, SIDE, DM, TALK = 101, 102, 103, 110
IN_GENERAL = Location(channel_ids=(GENERAL,), category_id=TALK)
IN_THREAD = Location(channel_ids=(SIDE, GENERAL), category_id=TALK)
IN_DM = Location(channel_ids=(DM,), direct=True)
HALF_KNOWN = Location(channel_ids=(SIDE,), complete=False)


def ids(*each):
    return frozenset(each)


@pytest.mark.parametrize(
    ("lists", "user", "roles", "refused"),
    [
        ({}, ADA, (), False),
        ({"blocked_users": ids(ADA)}, ADA, (), True),
        ({"blocked_users": ids(ADA)}, BEN, (), False),
        ({"blocked_roles": ids(GUESTS)}, ADA, (MODS, GUESTS), True),
        ({"blocked_roles": ids(GUESTS)}, ADA, (MODS,), False),
        ({"allowed_users": ids(ADA)}, ADA, (), False),
        ({"allowed_users": ids(ADA)}, BEN, (MODS,), True),
        ({"allowed_roles": ids(MODS)}, BEN, (MODS,), False),
        ({"allowed_roles": ids(MODS)}, BEN, (GUESTS,), True),
        ({"allowed_roles": ids(MODS)}, BEN, (), True),
        ({"allowed_users": ids(ADA), "allowed_roles": ids(MODS)}, BEN, (MODS,), False),
        ({"allowed_users": ids(ADA), "allowed_roles": ids(MODS)}, ADA, (), False),
        # A block always wins.
        ({"allowed_users": ids(ADA), "blocked_users": ids(ADA)}, ADA, (), True),
        ({"allowed_users": ids(ADA), "blocked_roles": ids(GUESTS)}, ADA, (GUESTS,), True),
        ({"allowed_roles": ids(MODS), "blocked_users": ids(ADA)}, ADA, (MODS,), True),
        # Lists of places say nothing about people.
        ({"allowed_channels": ids(GENERAL), "blocked_channels": ids(SIDE)}, ADA, (), False),
    ],
)
def test_people_are_admitted_by_the_lists_of_people(lists, user, roles, refused):
    assert (AccessRules(**lists).refuse_person(user, ids(*roles)) is not None) is refused


@pytest.mark.parametrize(
    ("lists", "location", "refusal"),
    [
        ({}, IN_GENERAL, None),
        ({"blocked_channels": ids(GENERAL)}, IN_GENERAL, PlaceRefused),
        ({"blocked_channels": ids(GENERAL)}, IN_THREAD, PlaceRefused),
        ({"blocked_channels": ids(SIDE)}, IN_THREAD, PlaceRefused),
        ({"blocked_channels": ids(SIDE)}, IN_GENERAL, None),
        ({"blocked_categories": ids(TALK)}, IN_GENERAL, PlaceRefused),
        ({"blocked_categories": ids(TALK)}, IN_THREAD, PlaceRefused),
        ({"allowed_channels": ids(GENERAL)}, IN_GENERAL, None),
        ({"allowed_channels": ids(GENERAL)}, IN_THREAD, None),
        ({"allowed_channels": ids(SIDE)}, IN_THREAD, None),
        ({"allowed_channels": ids(SIDE)}, IN_GENERAL, PlaceRefused),
        ({"allowed_categories": ids(TALK)}, IN_THREAD, None),
        ({"allowed_categories": ids(999)}, IN_GENERAL, PlaceRefused),
        ({"allowed_channels": ids(SIDE), "allowed_categories": ids(TALK)}, IN_GENERAL, None),
        # A block always wins.
        ({"allowed_channels": ids(GENERAL), "blocked_categories": ids(TALK)}, IN_GENERAL, PlaceRefused),
        ({"allowed_channels": ids(SIDE), "blocked_channels": ids(GENERAL)}, IN_THREAD, PlaceRefused),
        # DMs are a setting of their own.
        ({"allowed_channels": ids(GENERAL), "allowed_categories": ids(TALK)}, IN_DM, None),
        ({"direct_messages": False}, IN_DM, DirectMessagesOff),
        ({"direct_messages": False}, IN_GENERAL, None),
        ({"blocked_channels": ids(DM)}, IN_DM, PlaceRefused),
        # What is not known yet is none of the allowed ones, and may be a blocked one.
        ({}, HALF_KNOWN, None),
        ({"blocked_channels": ids(GENERAL)}, HALF_KNOWN, PlaceRefused),
        ({"blocked_categories": ids(TALK)}, HALF_KNOWN, PlaceRefused),
        ({"allowed_categories": ids(TALK)}, HALF_KNOWN, PlaceRefused),
        ({"allowed_channels": ids(SIDE)}, HALF_KNOWN, None),
    ],
)
def test_places_are_admitted_by_the_lists_of_places(lists, location, refusal):
    found = AccessRules(**lists).refuse_place(location)

    assert type(found) is (refusal or type(None))


def test_who_is_refused_is_not_told_about_the_place():
    rules = AccessRules(blocked_users=ids(ADA), direct_messages=False)

    assert type(rules.refuse(Asker(user_id=ADA, role_ids=ids(), location=IN_DM))) is PersonRefused
    assert type(rules.refuse(Asker(user_id=BEN, role_ids=ids(), location=IN_DM))) is DirectMessagesOff


async def test_each_person_is_told_once_an_hour():
    clock = FakeClock()
    telling = OnceAnHour(clock)

    assert [telling.is_due(ADA), telling.is_due(ADA), telling.is_due(BEN)] == [True, False, True]
    await clock.sleep(3599)
    assert not telling.is_due(ADA)
    await clock.sleep(1)
    assert telling.is_due(ADA)
