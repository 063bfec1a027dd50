"""What is shown for the marks in a message's text."""

from datetime import UTC, datetime

import pytest

from bot.core.messages import DISCORD_EPOCH_MS
from bot.playground.loopback.snowflakes import TIME_BITS
from bot.playground.markup import unmarked

NOW = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)

MESSAGE = (int(NOW.timestamp() * 1000) - DISCORD_EPOCH_MS) << TIME_BITS  # an id that was given then


def at(seconds):
    return int(NOW.timestamp()) + seconds


def shown(content):
    return unmarked(
        content,
        now=NOW,
        user_name={1: "ada"}.get,
        role_name={2: "mods"}.get,
        channel_name={3: "general"}.get,
        zone=UTC,
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<@1> and <@!1>, <@&2> in <#3>", "@ada and @ada, @mods in #general"),
        ("<@9>, <@&9> in <#9>", "@unknown-user, @unknown-role in #unknown"),
        ("<:wave:12> <a:party:12>", ":wave: :party:"),
        ("Use </chat:12>.", "Use /chat."),
        (f"said https://discord.com/channels/7/3/{MESSAGE}", "said (#general, 2026-11-26 08:30)"),
        (f"https://discord.com/channels/@me/9/{MESSAGE}", f"https://discord.com/channels/@me/9/{MESSAGE}"),
        ("`<@1>` and ```\n<t:1:R>\n```", "`<@1>` and ```\n<t:1:R>\n```"),
        (r"\<@1> \*not bold\* C:\new", "<@1> *not bold* C:\\new"),
        ("a < b, <3 and <t:soon>", "a < b, <3 and <t:soon>"),
    ],
)
def test_a_mark_is_shown_as_people_see_it(content, expected):
    assert shown(content) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (3 * 3600, "in 3 hours"),
        (1, "in 1 second"),
        (59.6, "in 1 minute"),
        (45 * 60, "in 45 minutes"),
        (5 * 86_400, "in 5 days"),
        (-90 * 60, "2 hours ago"),
        (-61 * 86_400, "2 months ago"),
        (-800 * 86_400, "2 years ago"),
    ],
)
def test_a_time_from_now_is_told_in_words(seconds, expected):
    assert shown(f"It resets <t:{at(round(seconds))}:R>.") == f"It resets {expected}."


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("", "26 November 2026 08:30"),
        (":f", "26 November 2026 08:30"),
        (":F", "Thursday, 26 November 2026 08:30"),
        (":d", "2026-11-26"),
        (":D", "26 November 2026"),
        (":t", "08:30"),
        (":T", "08:30:00"),
    ],
)
def test_a_moment_is_shown_by_the_readers_own_clock(style, expected):
    assert shown(f"<t:{at(0)}{style}>") == expected


def test_a_moment_beyond_the_calendar_stays_as_it_is():
    assert shown("<t:99999999999999999:R> <t:-99999999999999999>") == (
        "<t:99999999999999999:R> <t:-99999999999999999>"
    )
