"""LOG_FORMAT=json: one object a line, and as little told as in a line of text."""

import json
import logging
import math

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.log_lines import JsonFormatter
from tests.logged import KEY, PASSWORD, REAL_LIBRARIES, SECRETS, TEXT, TOKEN, raised, run_python, written

CHANNEL = 1456074443980800001


@pytest.fixture
def log():
    with written("json") as stream:
        yield stream


def lines(log):
    return [json.loads(line) for line in log.getvalue().splitlines()]


def only(log, *names):
    """The single line, without what every line has."""
    [line] = lines(log)
    return {name: value for name, value in line.items() if name not in ("ts", "level", "logger", *names)}


def test_a_line_is_one_object_with_time_level_logger_and_event(log):
    record = logging.makeLogRecord(
        {
            "name": "bot.app",
            "msg": "%d turns\n%s",
            "args": (3, "and"),
            "created": 0.25,
            "levelname": "INFO",
            "levelno": 20,
        }
    )

    logging.getLogger().handle(record)

    assert log.getvalue() == (
        '{"ts": "1970-01-01T00:00:00.250Z", "level": "INFO", "logger": "bot.app", "event": "3 turns\\nand"}\n'
    )


def test_what_a_line_of_ours_writes_as_pairs_are_fields(log):
    logging.getLogger("bot.core.answer").info(
        "turn channel=%d question=%s answer=%d outcome=%s seconds=%.2f", CHANNEL, None, 7, "complete", 1.23456
    )

    assert only(log) == {
        "event": "turn",
        "channel": str(CHANNEL),  # 64 bits: JavaScript and jq would round a number
        "question": None,
        "answer": 7,
        "outcome": "complete",
        "seconds": 1.23,
    }


@pytest.mark.parametrize(
    ("template", "args", "event", "fields"),
    [
        ("cut off: answer=%d code=%s: %s", (1, "x", "reset"), "cut off: reset", {"answer": 1, "code": "x"}),
        ("conversation channel=%d waits: %s", (2, "y"), "conversation waits: y", {"channel": 2}),
        ("model=%s rests for %.0f s", ("a", 5.0), "rests for 5 s", {"model": "a"}),
        ("half of it, 50%%: part=%d", (1,), "half of it, 50%", {"part": 1}),
        ("already deleted: part=%d", (1,), "already deleted", {"part": 1}),
        ("level=%d", (3,), "", {}),  # what every line has is not overwritten
        ("share=%f of=%s", (math.nan, True), "", {"share": "nan", "of": True}),
        ("100% sure", (), "100% sure", {}),
        ("done: 100%", (), "done: 100%", {}),
        ("channel=5", (), "channel=5", {}),
        ("channel=%(c)d", ({"c": 5},), "channel=5", {}),
    ],
)
def test_pairs_are_taken_out_of_the_event(log, template, args, event, fields):
    logging.getLogger("bot").info(template, *args)

    assert only(log) == {"event": event} | fields
    assert lines(log)[0]["level"] == "INFO"


def test_a_librarys_line_is_an_event_as_a_whole(log):
    logging.getLogger("discord.http").warning("retry in=%d %s", 5, {"content": TEXT})

    assert only(log) == {"event": "retry in=5 [dict]"}


@pytest.mark.parametrize(("line", "kept"), SECRETS)
def test_secrets_are_redacted_in_events_and_fields(log, line, kept):
    logger = logging.getLogger("bot.app")

    logger.info(line.replace("%", "%%"))
    logger.info("said: %s", line)
    logger.info("said: %(line)s", {"line": line})
    logger.info("said=%s", line)

    assert "canary" not in log.getvalue()
    assert PASSWORD not in log.getvalue()
    assert [kept in (each.get("said") or each["event"]) for each in lines(log)] == [True] * 4


def test_a_secret_is_found_though_json_would_write_it_differently():
    formatter = JsonFormatter(['pass"word\\é', "12345678"])
    record = logging.makeLogRecord(
        {"name": "bot", "msg": "a=%s b=%d c=%s: %s", "args": ('pass"word\\é', 12345678, "d", 'pass"word\\é')}
    )

    line = json.loads(formatter.format(record))

    assert (line["a"], line["b"], line["c"], line["event"]) == ("[secret]", "[secret]", "d", "[secret]")


def test_a_field_is_redacted_as_behind_its_name_in_a_line_of_text(log):
    logging.getLogger("bot").info("authorization=%s", "Bot canary.of.any.shape")

    assert only(log) == {"event": "", "authorization": "Bot [secret]"}


def test_an_exception_is_told_by_type_codes_and_places_but_not_by_its_text(log):
    class HTTPError(Exception):
        status = 403
        code = 50013
        text = TEXT

    error = raised(HTTPError(TEXT))
    error.__cause__ = raised(OSError(28, TEXT))
    error.__cause__.__context__ = raised(ExceptionGroup(TEXT, [ValueError(TEXT), KeyError(TOKEN)]))

    logging.getLogger("bot.app").error("It broke: channel=%d", 1, exc_info=error)

    assert "canary" not in log.getvalue()
    [line] = lines(log)
    told = line["exception"]
    assert (line["event"], line["channel"]) == ("It broke", 1)
    assert (told["type"].rpartition(".")[2], told["status"], told["code"]) == ("HTTPError", 403, 50013)
    assert [place.rpartition(" in ")[2] for place in told["places"]] == ["raised"]
    assert "text" not in told
    assert (told["cause"]["type"], told["cause"]["errno"]) == ("OSError", "28 No space left on device")
    group = told["cause"]["during"]
    assert [each["type"] for each in group["exceptions"]] == ["ValueError", "KeyError"]


def test_an_exception_that_causes_itself_ends(log):
    error = raised(ValueError("round"))
    error.__cause__ = LookupError("and round")
    error.__cause__.__cause__ = error

    logging.getLogger("bot.app").error("It broke.", exc_info=error)

    assert only(log)["exception"]["cause"].keys() == {"type", "places"}


def test_our_own_errors_keep_their_text(log):
    error = raised(DatabaseUnavailable(f"disk full {KEY}"))

    logging.getLogger("bot.app").error("It broke: %s", error, exc_info=error)

    [line] = lines(log)
    assert line["event"] == "It broke: bot.core.errors.DatabaseUnavailable: disk full [secret]"
    assert line["exception"]["text"] == "disk full [secret]"


def test_lost_records_and_what_nobody_catches_are_objects_too():
    code = f"import logging\nlogging.getLogger('bot').info('turns=%d', {TEXT!r})\nraise ValueError({TEXT!r})"

    ended = run_python(f"from bot.logs import configure_logging\nconfigure_logging('INFO', lines='json')\n{code}")

    lost, uncaught = map(json.loads, ended.stderr.splitlines())
    assert lost["event"].startswith("A log record from bot:")
    assert "was lost: TypeError" in lost["event"]
    assert uncaught["event"] == "An exception was not caught in the program."
    assert uncaught["exception"]["type"] == "ValueError"
    assert "canary" not in ended.stderr


def test_the_real_libraries_at_debug_write_objects_without_text_token_or_key():
    ended = run_python(REAL_LIBRARIES, TOKEN, KEY, TEXT, "json")

    assert ended.returncode == 0, ended.stderr
    written_lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in written_lines].count("discord") == 3
    types = {line["exception"]["type"] for line in written_lines if "exception" in line}
    assert {"openai.BadRequestError", "sqlalchemy.exc.OperationalError"} <= types
    assert "canary" not in ended.stderr
