import asyncio
import logging
import warnings

import pytest

from bot.core.errors import DatabaseUnavailable
from bot.logs import configure_logging
from bot.redaction import describe, holds_secret
from tests.logged import KEY, LIBRARY_LOGGERS, REAL_LIBRARIES, SECRETS, TEXT, TOKEN, raised, run_python, written

CONFIGURED = "from bot.logs import configure_logging\nconfigure_logging('DEBUG')"


@pytest.fixture
def log():
    with written("text") as stream:
        yield stream


def test_a_line_has_its_time_in_utc_its_level_and_its_logger(log):
    record = logging.makeLogRecord(
        {
            "name": "bot.app",
            "msg": "%d turns",
            "args": (3,),
            "created": 0.25,
            "levelname": "INFO",
            "levelno": 20,
        }
    )

    logging.getLogger().handle(record)

    assert log.getvalue() == "1970-01-01 00:00:00.250Z INFO    bot.app: 3 turns\n"


def test_our_own_debug_lines_are_written_at_debug(log):
    logging.getLogger("bot.core.answer").debug("turn %d", 7)

    assert "bot.core.answer: turn 7" in log.getvalue()


@pytest.mark.parametrize("name", LIBRARY_LOGGERS)
def test_a_librarys_debug_lines_are_dropped_even_when_its_own_level_is_debug(log, name):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)

    logger.debug("received %s", TEXT)
    logger.setLevel(logging.NOTSET)

    assert log.getvalue() == ""


@pytest.mark.parametrize("name", ["openai", "httpx2", "sqlalchemy.engine.Engine", "aiohttp.access"])
def test_a_library_with_a_line_for_every_request_is_heard_from_warning_on(log, name):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)

    logger.info("received %s", TEXT)
    logger.warning("slow")
    logger.setLevel(logging.NOTSET)

    assert log.getvalue().endswith(f"WARNING {name}: slow\n")
    assert "canary" not in log.getvalue()


def test_an_argument_that_is_a_payload_is_withheld(log):
    logging.getLogger("discord.http").warning("received %s", {"content": TEXT})
    logging.getLogger("discord.http").warning("received %s and %s", {"content": TEXT}, TEXT.encode())

    assert "received [dict]\n" in log.getvalue()
    assert "received [dict] and [bytes]\n" in log.getvalue()


def test_a_librarys_warnings_are_written(log):
    logging.getLogger("discord.http").warning("We are being rate limited. Retrying in %.2f seconds.", 1.5)

    assert "WARNING discord.http: We are being rate limited. Retrying in 1.50 seconds." in log.getvalue()


@pytest.mark.parametrize(("line", "kept"), SECRETS)
def test_secrets_are_redacted_in_messages_arguments_and_notes_of_a_stack(log, line, kept):
    logger = logging.getLogger("bot.app")

    logger.info(line.replace("%", "%%"))
    logger.info("said: %s", line)
    logger.info("said: %(line)s", {"line": line})

    assert "canary" not in log.getvalue()
    assert "hunter2" not in log.getvalue()
    assert log.getvalue().count(kept) == 3


def test_a_foreign_exception_is_told_by_type_place_and_codes_but_not_by_its_text(log):
    class HTTPError(Exception):
        status = 403
        code = 50013
        text = TEXT

    logging.getLogger("discord.client").error("Ignoring", exc_info=raised(HTTPError(TEXT)))

    written = log.getvalue()
    assert "HTTPError (status=403, code=50013)\n" in written
    assert "in raised" in written
    assert "raise error" in written
    assert "canary" not in written


def test_causes_contexts_and_groups_are_told_in_the_same_way(log):
    error = raised(ExceptionGroup(TEXT, [ValueError(TEXT), KeyError(TOKEN)]))
    error.__cause__ = raised(LookupError(TEXT))
    error.__cause__.__context__ = raised(OSError(28, TEXT))

    logging.getLogger("bot.app").error("It broke.", exc_info=error)

    written = log.getvalue()
    assert "canary" not in written
    for name in ("OSError", "LookupError", "ExceptionGroup", "ValueError", "KeyError"):
        assert name in written
    assert "No space left on device" in written


def test_an_exception_that_causes_itself_ends(log):
    error = raised(ValueError("round"))
    error.__cause__ = LookupError("and round")
    error.__cause__.__cause__ = error

    logging.getLogger("bot.app").error("It broke.", exc_info=error)

    assert log.getvalue().rstrip().endswith("ValueError")


def test_what_another_handler_made_of_a_traceback_is_not_used(log):
    record = logging.makeLogRecord({"name": "bot", "msg": "It broke.", "levelno": 40, "exc_text": TEXT})

    logging.getLogger().handle(record)

    assert "It broke." in log.getvalue()
    assert "canary" not in log.getvalue()


def test_our_own_errors_keep_their_text():
    assert describe(DatabaseUnavailable("disk full")) == "bot.core.errors.DatabaseUnavailable: disk full"


def test_a_type_error_out_of_our_code_keeps_pythons_words():
    with pytest.raises(TypeError) as ours:
        describe()
    with pytest.raises(TypeError) as called_by_us:
        configure_logging("INFO", secrets=5)

    assert describe(ours.value) == "TypeError"
    assert describe(called_by_us.value) == "TypeError: 'int' object is not iterable"


def test_an_exception_as_an_argument_is_told_without_its_text(log):
    logging.getLogger("bot.app").warning("Could not post: %s", ValueError(TEXT))

    assert "Could not post: ValueError\n" in log.getvalue()


async def test_a_task_whose_exception_nobody_fetched_is_told_without_objects(log):
    async def fails():
        raise ValueError(TEXT)

    task = asyncio.create_task(fails(), name=TEXT)
    await asyncio.wait([task])
    asyncio.get_running_loop().default_exception_handler(
        {"message": "Task exception was never retrieved", "future": task, "exception": task.exception()}
    )
    task.exception()

    written = log.getvalue()
    assert "ERROR   asyncio: Task exception was never retrieved\n" in written
    assert "in fails" in written
    assert "canary" not in written


async def test_slow_and_failing_callbacks_are_told_without_their_arguments(log):
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0

    def fails(text):
        done.set()
        raise ValueError(text)

    loop.call_soon(fails, TEXT)
    await done.wait()
    await asyncio.sleep(0)
    loop.set_debug(False)

    written = log.getvalue()
    assert "asyncio: Exception in callback" in written
    assert "asyncio: Executing … took" in written
    assert "canary" not in written


def test_a_record_that_cannot_be_formatted_is_reported_without_its_arguments():
    ended = run_python(f"import logging\n{CONFIGURED}\nlogging.getLogger('bot').info('%d turns', {TEXT!r})")

    assert "A log record from bot:" in ended.stderr
    assert "was lost: TypeError" in ended.stderr
    assert "canary" not in ended.stderr


def test_warnings_go_to_the_log(log):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"deprecated {KEY}", DeprecationWarning, stacklevel=1)

    assert "DeprecationWarning: deprecated [secret]" in log.getvalue()


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError(TEXT)",
        "threading.Thread(target=lambda: int(TEXT)).start()",
        "class Falls:\n    def __del__(self): raise ValueError(TEXT)\nfall = Falls()\ndel fall",
    ],
)
def test_what_nobody_catches_is_told_without_its_text(code):
    ended = run_python(f"import threading\n{CONFIGURED}\nTEXT = {TEXT!r}\n{code}")

    assert "bot: An exception was not caught in" in ended.stderr
    assert "ValueError" in ended.stderr
    assert "canary" not in ended.stderr + ended.stdout


def test_keys_and_tokens_are_known_by_their_shape():
    assert holds_secret(TOKEN)
    assert holds_secret(f"x={KEY}")
    assert not holds_secret("gpt-5.4")
    assert not holds_secret("You are a friendly assistant! risk-free and task-oriented.")


def test_the_real_libraries_at_debug_write_no_text_token_or_key():
    ended = run_python(REAL_LIBRARIES, TOKEN, KEY, TEXT, "text")

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "True\n"
    assert ended.stderr.count("bot.test: discord") == 3
    assert "openai.BadRequestError (status_code=400)" in ended.stderr
    assert "sqlalchemy.exc.OperationalError" in ended.stderr
    assert "canary" not in ended.stderr
