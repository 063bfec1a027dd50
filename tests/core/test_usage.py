"""What was used, as people and programs read it."""

from bot.core.usage import SUMMARIES, By, Used, own_words, server_words
from bot.core.usage_tables import usage_csv, usage_table

NOTHING = Used()
ONE = Used(
    of=7,
    requests=1,
    answers=1,
    input_tokens=1_200,
    cached_tokens=200,
    output_tokens=30,
    cost_nanodollars=12_340_000,
)
MANY = Used(of=8, requests=5, answers=3, input_tokens=100, output_tokens=10, cost_nanodollars=2 * 10**9, unknown=2)
UNKNOWN = Used(requests=1, input_tokens=5, output_tokens=5, unknown=1)


def test_a_person_reads_what_they_used_today_and_this_month():
    assert own_words(today=NOTHING, month=ONE) == (
        "**What you used of me**\n"
        "Today: nothing\n"
        "This month: 1 answer, 1,200 tokens read (200 cached), 30 written, $0.012\n"
        "-# Days and months are those of UTC."
    )


def test_what_is_unknown_is_said_and_not_counted_as_nothing():
    words = server_words(By.PERSON, [MANY, UNKNOWN])

    assert words.splitlines()[1:-1] == [
        "<@8>: 3 answers, 100 tokens read, 10 written, $2.00 and 2 requests of unknown cost",
        "forgotten people: 0 answers, 5 tokens read, 5 written, cost unknown",
        "In all: 3 answers, 105 tokens read, 15 written, $2.00 and 3 requests of unknown cost",
    ]


def test_where_all_that_is_known_is_that_a_request_was_refused_no_sum_is_named():
    refused_and_unpriced = Used(of=8, requests=3, answers=2, cost_nanodollars=0, unknown=2)
    refused = Used(of=9, requests=1, cost_nanodollars=0)

    words = server_words(By.PERSON, [refused_and_unpriced, refused])

    assert words.splitlines()[1:3] == [
        "<@8>: 2 answers, 0 tokens read, 0 written, cost unknown",
        "<@9>: 0 answers, 0 tokens read, 0 written, $0.00",
    ]


def test_a_server_that_used_nothing_reads_so():
    assert "\nNothing yet.\n" in server_words(By.DAY, [])


def test_a_long_table_is_one_message_and_says_what_it_leaves_out():
    most = [
        Used(
            of="m" * 200,
            requests=10**9,
            answers=10**9,
            input_tokens=10**12,
            cached_tokens=10**12,
            output_tokens=10**12,
            cost_nanodollars=10**15,
        )
    ] * 40

    words = server_words(By.MODEL, most)

    assert len(words) <= 2_000
    assert words.count("`mmm") > 5
    assert f"\n… and {40 - words.count('`mmm')} more\n" in words


def test_of_days_the_newest_is_the_first():
    days = [Used(of=f"2026-11-{day:02}", requests=1) for day in range(1, 31)]

    shown = server_words(By.DAY, days)

    assert shown.splitlines()[1].startswith("`2026-11-30`: ")
    assert "`2026-11-01`" not in shown


def test_the_table_has_a_line_for_each_and_one_for_all():
    assert list(usage_table(By.PERSON, [MANY, ONE, UNKNOWN])) == [
        "person     requests  answers   read  cached  written  dollars  unknown",
        "8                 5        3    100       0       10    $2.00        2",
        "7                 1        1  1,200     200       30   $0.012        0",
        "forgotten         1        0      5       0        5        ?        1",
        "in all            7        4  1,305     200       45    $2.01        3",
    ]


def test_where_nothing_was_asked_the_cost_is_nothing_and_not_unknown():
    assert (
        list(usage_table(By.DAY, []))[-1] == "in all         0        0     0       0        0    $0.00        0"
    )


def test_the_csv_is_exact_and_leaves_empty_what_nobody_knows():
    assert list(usage_csv(By.SERVER, [ONE, UNKNOWN])) == [
        "server,requests,answers,input_tokens,cached_tokens,output_tokens,dollars,unknown",
        "7,1,1,1200,200,30,0.012340000,0",
        "direct messages,1,0,5,0,5,,1",
    ]


def test_summaries_have_a_name_of_their_own():
    used = [Used(of=SUMMARIES, requests=1, input_tokens=5, output_tokens=1, unknown=1)]

    words = server_words(By.PERSON, used)

    assert "\nsummaries: 0 answers, 5 tokens read, 1 written, cost unknown\n" in words
    assert [line.split()[0] for line in usage_table(By.PERSON, used)][1] == "summaries"
